import {
  createDiskBucket,
  createRelay,
  type DiskService,
  MetricsObject,
  type RelayBindings,
  RoomObject,
} from "../src/edge/index.ts";

export { MetricsObject, RoomObject };

const relay = createRelay();

/** The relay with its references in a folder, as `workerd.capnp` binds it. */
export default {
  fetch(
    request: Request,
    { REFERENCES, ...bindings }: Omit<RelayBindings, "BLOBS"> & { REFERENCES: DiskService },
  ) {
    return relay.fetch(request, { ...bindings, BLOBS: createDiskBucket(REFERENCES) });
  },
};
