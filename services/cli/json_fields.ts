/** Fields of what the node answers. It may be of another version, so each is looked at before it is believed. */
import type { Json, JsonObject } from "@tesseras/run";

/** A number, 0 when it is none. */
export function numberIn(json: JsonObject, name: string): number {
  const value = json[name];
  return typeof value === "number" ? value : 0;
}

/** A text, empty when it is none. */
export function textIn(json: JsonObject, name: string): string {
  const value = json[name];
  return typeof value === "string" ? value : "";
}

/** How many items a list has, 0 when it is none. */
export function countIn(json: JsonObject, name: string): number {
  const value = json[name];
  return Array.isArray(value) ? value.length : 0;
}

/** The texts of a list, none when it is no list. */
export function textsIn(json: JsonObject, name: string): readonly string[] {
  const value = json[name];
  if (!Array.isArray(value)) return [];
  return value.filter((item) => typeof item === "string");
}

/** An object, an empty one when it is none. */
export function objectIn(json: JsonObject, name: string): JsonObject {
  const value = json[name];
  return isObject(value) ? value : {};
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
