import { createRelay, RoomObject } from "./edge/index.ts";

export { RoomObject };
export default createRelay();
