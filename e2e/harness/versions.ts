import { openRoom, type Room, type TableHandle, table } from "flockstate";
import * as z from "zod/mini";

const earlier = z.object({ id: z.string(), name: z.string() });
const later = z.object({ id: z.string(), first: z.string(), last: z.string(), born: z.optional(z.number()) });
type Later = z.infer<typeof later>;

/** The state of two versions of one application: the later one knows first and last names apart. */
const versions = {
  earlier: { people: table(earlier, { key: "id" }) },
  later: {
    people: table(later, {
      key: "id",
      upgrade({ id, name }) {
        const [first = "", ...rest] = String(name).split(" ");
        return { id, first, last: rest.join(" ") };
      },
      downgrade: ({ first, last }: Later) => ({ name: `${first} ${last}`.trim() }),
    }),
  },
};

/** Which version of the application a page runs. */
export type Version = keyof typeof versions;

/** The people of a room, as one version of the application has them. */
export interface VersionedPeople {
  rows(): readonly unknown[];
  set(row: unknown): Promise<void>;
}

/** Opens a room as one version of an application does. */
export async function openVersion(
  version: Version,
  { room: id, relay }: { room: string; relay: string },
): Promise<VersionedPeople> {
  const room = (await openRoom<(typeof versions)[Version]>(id, {
    relay,
    state: versions[version],
  })) as unknown as Room;
  const { people } = room.state as unknown as { people: TableHandle<unknown> };
  return {
    rows: () => people.get(),
    async set(row) {
      await people.set(row).settled("relayed");
    },
  };
}
