/** Every story that is walked. */
import { DISTRIBUTE, RECEIVE } from "./distribute_story.ts";
import { AUDIT, PROVE, RECODE, REPAIR, TAKE, TWO } from "./repair_story.ts";
import { STORE } from "./store_story.ts";
import type { Story } from "./story.ts";
import { SWEEP } from "./sweep_story.ts";

/** In the order of their cost. */
export const STORIES: readonly Story[] = [
  STORE,
  SWEEP,
  AUDIT,
  PROVE,
  DISTRIBUTE,
  RECEIVE,
  TWO,
  REPAIR,
  TAKE,
  RECODE,
];
