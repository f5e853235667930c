import { routePartykitRequest } from "partyserver";
import { YServer } from "y-partyserver";

/** As its documentation shows, with hibernation; nothing is saved unless the application does. */
export class Documents extends YServer {
  static options = { hibernate: true };
}

export default {
  fetch: async (request, env) =>
    (await routePartykitRequest(request, env)) ?? new Response("Not found", { status: 404 }),
};
