/** One tone per unacknowledged priority, per console, off by default. Silencing is not acknowledging. */

import { PRIORITIES, type Priority } from "../theme/tokens";
import { alarmStore } from "./store";

const KEY = "ms-sounds";
const EVERY_MS = 4000;
const TONE_S = 0.18;
/** Higher and more often for what is graver. */
const TONES: Record<Priority, readonly [hertz: number, times: number]> = {
  critical: [988, 3],
  high: [784, 2],
  medium: [659, 1],
  low: [523, 1],
  diagnostic: [440, 1],
};

type Blocked = "quiet" | "playing" | "blocked";

class Sounds {
  private context: AudioContext | null = null;
  private timer: ReturnType<typeof setInterval> | null = null;
  private readonly listeners = new Set<() => void>();
  private silenced: ReadonlySet<string> = new Set();
  private state: Blocked = "quiet";
  private chosen: ReadonlySet<Priority> = new Set(
    (localStorage.getItem(KEY) ?? "").split(",").filter((each): each is Priority => PRIORITIES.includes(each as Priority)),
  );

  current = (): Blocked => this.state;
  wanted = (): ReadonlySet<Priority> => this.chosen;

  onChange = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  choose(priorities: readonly Priority[]): void {
    this.chosen = new Set(priorities);
    localStorage.setItem(KEY, priorities.join());
    this.follow();
  }

  /** Keep quiet for what stands now; the next alarm sounds again. */
  silence(): void {
    this.silenced = new Set(this.open().map(({ alarm, raised_ms }) => `${alarm} ${raised_ms}`));
    this.tell("quiet");
  }

  /** A click lets the browser play. */
  async allow(): Promise<void> {
    await this.context?.resume();
    this.sound();
  }

  follow = (): void => {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = this.chosen.size > 0 ? setInterval(this.sound, EVERY_MS) : null;
    this.sound();
  };

  private open() {
    return alarmStore.current().alarms.filter(({ state, priority }) => state.endsWith("-unacknowledged") && this.chosen.has(priority));
  }

  private readonly sound = () => {
    const found = this.chosen.size === 0 ? [] : this.open().filter(({ alarm, raised_ms }) => !this.silenced.has(`${alarm} ${raised_ms}`));
    const worst = PRIORITIES.find((priority) => found.some((alarm) => alarm.priority === priority));
    if (worst === undefined) return this.tell("quiet");
    this.context ??= new AudioContext();
    if (this.context.state !== "running") return this.tell("blocked");
    this.tell("playing");
    const [hertz, times] = TONES[worst];
    for (let turn = 0; turn < times; turn += 1) {
      const tone = this.context.createOscillator();
      const at = this.context.currentTime + turn * 2 * TONE_S;
      tone.frequency.value = hertz;
      tone.connect(this.context.destination);
      tone.start(at);
      tone.stop(at + TONE_S);
    }
  };

  private tell(state: Blocked): void {
    if (state === this.state) return;
    this.state = state;
    for (const listener of this.listeners) listener();
  }
}

export const sounds = new Sounds();
