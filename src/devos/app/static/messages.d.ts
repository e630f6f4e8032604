// Made from messages.py by scripts/messages.

/** The object is here, or is not here. */
export interface Click {
  kind: "click";
  frame: number;
  object: number;
  x: number;
  y: number;
  is_object: boolean;
}

/** The object is inside. */
export interface Box {
  kind: "box";
  frame: number;
  object: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A stroke; with `erase` it takes away. */
export interface Brush {
  kind: "brush";
  frame: number;
  object: number;
  points: [number, number][];
  radius: number;
  erase?: boolean;
}

/** An area; with `erase` it takes away. */
export interface Polygon {
  kind: "polygon";
  frame: number;
  object: number;
  points: [number, number][];
  erase?: boolean;
}

/** Fill the hole at a point or, with `erase`, remove the piece there. */
export interface Fill {
  kind: "fill";
  frame: number;
  object: number;
  x: number;
  y: number;
  erase?: boolean;
}

/** The object is not on this frame. */
export interface Clear {
  kind: "clear";
  frame: number;
  object: number;
}

/** A frame is about to be marked. */
export interface Look {
  frame: number;
}

/** Follow what was marked and has not been followed since; `first` and `last` are the only frames to change. */
export interface Follow {
  direction?: "forward" | "backward" | "both";
  first?: number | null;
  last?: number | null;
}

/** Undo or redo; refused if the project is no longer as the page has seen it. */
export interface Move {
  revision: number;
}

/** Lock objects and frames, or let go of them. */
export interface Lock {
  objects?: number[];
  frames?: [number, number][];
  unlock?: boolean;
}

/** Take an object out of all results. */
export interface Remove {
  object: number;
}

/** What a person calls an object; empty: only its number. */
export interface Rename {
  object: number;
  name: string;
}

/** These frames look right. */
export interface Check {
  frames: number[];
}

/** Take results away: as a download, or into a new folder below those that the server was given. */
export interface Export {
  overlay?: boolean;
  folder?: string | null;
  formats?: string[];
}

/** Open a video, a folder of frames or a project. */
export interface Open {
  path: string;
}

/** The project's video. */
export interface VideoInfo {
  name: string;
  width: number;
  height: number;
  fps: number;
  num_frames: number;
}

/** An object. */
export interface ObjectInfo {
  id: number;
  name: string;
  colour: string;
  locked: boolean;
  seen: number;
  marked: number[];
}

/** One thing that was done; some strokes on one frame are told as one. */
export interface StepInfo {
  number: number;
  text: string;
  stands: boolean;
}

/** A frame to look at. */
export interface Doubt {
  frame: number;
  object: number;
  doubt: number;
  reason: string;
}

/** An object that was marked and has not been followed. */
export interface Waiting {
  object: number;
  first: number;
  last: number | null;
}

/** What the worker does at this moment. */
export interface Busy {
  what: "follow" | "export" | "start";
  frame: number;
  done: number;
  total: number;
  seconds_left: number | null;
}

/** A project as it is. */
export interface State {
  key: string;
  path: string;
  revision: number;
  video: VideoInfo;
  objects: ObjectInfo[];
  steps: StepInfo[];
  can_undo: boolean;
  can_redo: boolean;
  look_at: Doubt[];
  checked: number[];
  waiting: Waiting[];
  locked_frames: [number, number][];
  num_results: number;
  cuts: number[];
  proxied: number;
  busy: Busy | null;
  notes: string[];
  command: string;
  convert: string;
}

/** What is where on a frame. */
export interface MaskMessage {
  frame: number;
  name: string;
  width: number;
  height: number;
  runs: number[];
  clicks: [number, number, boolean, number][];
  version: string;
  revision: number;
}

/** How each object does on each frame: base64 of a byte a frame: 255 no result, 0 not seen, 1 to 254 confidence. */
export interface Timeline {
  revision: number;
  num_frames: number;
  rows: Record<string, string>;
}

/** The small copy has grown: how many frames it holds, and the cuts that were found. */
export interface Proxied {
  frames: number;
  cuts: number[];
}

/** A frame was followed: its number, and for each object its byte of the timeline. */
export interface FrameDone {
  frame: number;
  scores: Record<string, number>;
}

/** Where the results are. */
export interface Exported {
  url: string | null;
  folder: string | null;
}

/** Something that can be opened. */
export interface Candidate {
  path: string;
  kind: "video" | "frames" | "project";
}

/** A project that is open. */
export interface Opened {
  key: string;
  video: string;
  path: string;
}

/** A format of another tool, to which results can be exported. */
export interface FormatInfo {
  name: string;
  what: string;
  missing: string;
}

/** What is open, and what can be. */
export interface Place {
  open: Opened[];
  candidates: Candidate[];
  formats: FormatInfo[];
  roots: string[];
  base: string;
}

export type Edit = Click | Box | Brush | Polygon | Fill | Clear;
