// A camera that a flight leads, until somebody touches the canvas and has it back. Worlds and meshes have one each.
import { type PerspectiveCamera, Vector3 } from "three";
import type { View } from "./cameras";

/** What a flight is kept of and shown in. */
export interface Flown {
  /** What is seen now. */
  readonly view: View;
  /** Whether the camera is where a flight led it. */
  readonly isLed: boolean;
  /** Goes to a view, upright. */
  goTo(view: View): void;
  /** Shows a view of a flight, leaning as it does, until somebody goes elsewhere. */
  lead(view: View): void;
  /** A small picture of what is shown, as an address. */
  thumbnail(widthPx: number, heightPx: number): string;
}

interface Use {
  /** Has whatever moves the camera go on from where it is. */
  readonly aim: () => void;
  readonly redraw: () => void;
  /** Ends the listening. */
  readonly signal: AbortSignal;
}

export class LedCamera {
  #isLed = false;

  constructor(
    private readonly camera: PerspectiveCamera,
    canvas: HTMLCanvasElement,
    private readonly use: Use,
  ) {
    // Before the controls hear of it, which would go on from where they were.
    for (const name of ["pointerdown", "wheel", "keydown"] as const) {
      canvas.addEventListener(name, (event) => this.#takeBack(event), { capture: true, passive: true, signal: use.signal });
    }
  }

  get isLed(): boolean {
    return this.#isLed;
  }

  get view(): View {
    const { camera } = this;
    return {
      position: camera.position.toArray(),
      forward: camera.getWorldDirection(new Vector3()).toArray(),
      up: new Vector3(0, 1, 0).applyQuaternion(camera.quaternion).toArray(),
      verticalFieldRad: (camera.fov * Math.PI) / 180,
    };
  }

  goTo(view: View): void {
    this.#isLed = false;
    this.#look(view, [0, 1, 0]);
    this.use.aim();
  }

  lead(view: View): void {
    this.#isLed = true;
    this.#look(view, view.up);
  }

  #look(view: View, up: readonly [number, number, number]): void {
    const { camera } = this;
    camera.position.set(...view.position);
    camera.up.set(...up);
    camera.fov = (view.verticalFieldRad * 180) / Math.PI;
    camera.lookAt(new Vector3(...view.position).add(new Vector3(...view.forward)));
    camera.updateProjectionMatrix();
    this.use.redraw();
  }

  #takeBack(event: Event): void {
    const isForPage = event instanceof KeyboardEvent && (event.key === "Tab" || event.key === "Shift");
    if (this.#isLed && !isForPage) this.goTo(this.view);
  }
}

/** A small picture of what was just drawn on a canvas, as an address: the middle, as much of it as has the small one's form. */
export function thumbnailOf(canvas: HTMLCanvasElement, widthPx: number, heightPx: number): string {
  const small = document.createElement("canvas");
  [small.width, small.height] = [widthPx, heightPx];
  const { width, height } = canvas;
  const scale = Math.max(widthPx / width, heightPx / height);
  const [takenX, takenY] = [widthPx / scale, heightPx / scale];
  small.getContext("2d")?.drawImage(canvas, (width - takenX) / 2, (height - takenY) / 2, takenX, takenY, 0, 0, widthPx, heightPx);
  return small.toDataURL("image/jpeg", 0.7);
}
