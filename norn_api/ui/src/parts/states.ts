// The tone of each word for a state: what is well, what goes on, what needs attention, what failed.

export type Tone = "good" | "busy" | "warn" | "bad" | "idle";

const TONES: Record<string, Tone> = {
  running: "good", ready: "good", scheduled: "good", succeeded: "good", deployed: "good", live: "good", ok: "good", fired: "good",
  caught_up: "good", delivered: "good", forged: "good", noted: "good", resolved: "good", exists: "good", made: "good", set: "good",
  queued: "busy", pending: "busy", forging: "busy", waiting: "busy", deploying: "busy", building: "busy", draining: "busy",
  degraded: "warn", warn: "warn", unset: "bad", missing: "bad", paused: "warn", unhealthy: "warn", warning: "warn", skipped_overlap: "warn", skipped_paused: "idle", missed: "warn",
  cancelled: "warn", superseded: "idle", expired: "warn", timed_out: "bad", oom_killed: "bad", "never deployed": "idle", unforged: "idle",
  stopped: "idle", off: "idle", skipped: "idle", broken: "bad", down: "bad", failed: "bad", error: "bad", dead: "bad",
  "deploy failed": "bad", forge_failed: "bad", "crash-looping": "bad", failed_to_start: "bad", critical: "bad",
};
const WORK = new Set(["job", "step", "execution"]);

/** Returns the tone of a state; a job, a step and a run that are running are busy, an app that is running is well. */
export function tone(state: string | null | undefined, of = "app"): Tone {
  if (state === "running" && WORK.has(of)) return "busy";
  if (state === "pending" && of === "step") return "idle";
  return TONES[state ?? ""] ?? "idle";
}

/** Returns a state as people read it. */
export function word(state: string | null | undefined): string {
  return (state ?? "").replaceAll("_", " ");
}

/** Returns a revision for people: the first twelve digits of a SHA. */
export function short(revision: string | null | undefined): string {
  return revision && revision.length === 40 ? revision.slice(0, 12) : (revision ?? "");
}
