import { readFileSync, writeFileSync } from "node:fs";
import { drawingPath, withDrawing } from "./lib/drawing.mjs";

writeFileSync(drawingPath, withDrawing(readFileSync(drawingPath, "utf8")));
