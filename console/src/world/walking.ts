// First person: W A S D and the arrows walk, Q and E sink and rise, dragging looks around; a touch looks with one finger and walks with two.
import { Euler, type PerspectiveCamera, Vector3 } from "three";

const LOOK_RAD_PER_PX = 0.0035;
const MAX_PITCH_RAD = 1.5;
const FAST_FACTOR = 3;
/** A step of the clock is at most so long, or a frame that took long would be a leap. */
const MAX_STEP_S = 0.1;

const WAYS: Readonly<Record<string, readonly [number, number, number]>> = {
  KeyW: [0, 0, -1],
  ArrowUp: [0, 0, -1],
  KeyS: [0, 0, 1],
  ArrowDown: [0, 0, 1],
  KeyA: [-1, 0, 0],
  ArrowLeft: [-1, 0, 0],
  KeyD: [1, 0, 0],
  ArrowRight: [1, 0, 0],
  KeyQ: [0, -1, 0],
  KeyE: [0, 1, 0],
};

export class Walking {
  isOn = false;
  readonly #held = new Set<string>();
  readonly #turn = new Euler(0, 0, 0, "YXZ");
  readonly #touches = new Map<number, { x: number; y: number }>();
  readonly #ending = new AbortController();
  #isFast = false;

  constructor(
    private readonly camera: PerspectiveCamera,
    canvas: HTMLElement,
    /** Metres, or units of the reconstruction, a second. */
    public speed: number,
    private readonly onMove: () => void,
  ) {
    const { signal } = this.#ending;
    canvas.addEventListener("keydown", (event) => this.#press(event), { signal });
    canvas.addEventListener("keyup", (event) => this.#held.delete(event.code), { signal });
    canvas.addEventListener("blur", () => this.#held.clear(), { signal });
    canvas.addEventListener("pointerdown", (event) => this.#touch(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.#drag(event), { signal });
    for (const name of ["pointerup", "pointercancel"] as const)
      canvas.addEventListener(name, (event) => this.#touches.delete(event.pointerId), { signal });
  }

  /** Goes on for a while; says whether it moved. */
  step(seconds: number): boolean {
    if (!this.isOn || this.#held.size === 0) return false;
    const way = new Vector3();
    for (const code of this.#held) way.add(new Vector3(...(WAYS[code] ?? [0, 0, 0])));
    if (way.lengthSq() === 0) return false;
    const length = this.speed * (this.#isFast ? FAST_FACTOR : 1) * Math.min(seconds, MAX_STEP_S);
    this.camera.position.add(way.normalize().applyQuaternion(this.camera.quaternion).multiplyScalar(length));
    return true;
  }

  /** Turns by so much; also what the keys of the page do. */
  look(yawRad: number, pitchRad: number): void {
    this.#turn.setFromQuaternion(this.camera.quaternion);
    this.#turn.y += yawRad;
    this.#turn.x = Math.max(-MAX_PITCH_RAD, Math.min(MAX_PITCH_RAD, this.#turn.x + pitchRad));
    this.#turn.z = 0;
    this.camera.quaternion.setFromEuler(this.#turn);
    this.onMove();
  }

  dispose(): void {
    this.#ending.abort();
  }

  #press(event: KeyboardEvent): void {
    this.#isFast = event.shiftKey;
    if (!this.isOn || event.ctrlKey || event.metaKey || event.altKey || !WAYS[event.code]) return;
    event.preventDefault();
    this.#held.add(event.code);
    this.onMove();
  }

  #touch(event: PointerEvent): void {
    if (!this.isOn) return;
    (event.target as Element).setPointerCapture(event.pointerId);
    this.#touches.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  #drag(event: PointerEvent): void {
    const before = this.#touches.get(event.pointerId);
    if (!this.isOn || !before) return;
    const right = event.clientX - before.x;
    const down = event.clientY - before.y;
    this.#touches.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#touches.size > 1) {
      const walked = new Vector3(right, 0, down).multiplyScalar(this.speed * LOOK_RAD_PER_PX).applyQuaternion(this.camera.quaternion);
      this.camera.position.add(walked);
      this.onMove();
    } else {
      this.look(-right * LOOK_RAD_PER_PX, -down * LOOK_RAD_PER_PX);
    }
  }
}
