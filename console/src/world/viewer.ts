// A world on a canvas: Spark draws the Gaussians, three.js has the camera. Frames are drawn only where something changed.
import { SparkRenderer, SplatMesh } from "@sparkjsdev/spark";
import {
  BoxGeometry,
  type BufferGeometry,
  Color,
  EdgesGeometry,
  LineBasicMaterial,
  LineSegments,
  PerspectiveCamera,
  Scene,
  SphereGeometry,
  Vector3,
  WebGLRenderer,
  WireframeGeometry,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import type { View } from "./cameras";
import { type Flown, LedCamera, thumbnailOf } from "./led-camera";
import { Splats } from "./splats";
import { Walking } from "./walking";

/** What Spark's sorting throws where its worker or its targets are taken from it in the middle of its work; nobody waits for it any more. */
const ENDED_WORK: readonly unknown[] = ["Worker terminate", "No target"];
const DEFAULT_FIELD_RAD = 0.9;
const MAX_PIXEL_RATIO = 2;
/** What a Gaussian covers beyond its own extent, in pixels squared; 3DGS's filter. */
const BLUR_PX2 = 0.3;

export interface Look {
  /** Whether the world was trained with 3DGS's correction of opacity for small Gaussians. */
  readonly isAntialiased: boolean;
  /** sRGB, 0 to 1. */
  readonly background: readonly [number, number, number];
}

export type Movement = "orbit" | "walk";

/** A box or a ball in the world, by its middle and its lengths. */
export interface Guide {
  readonly isRound: boolean;
  readonly center: readonly [number, number, number];
  readonly size: readonly [number, number, number];
}

export class Viewer implements Flown {
  readonly camera = new PerspectiveCamera(50, 16 / 10, 0.01, 10_000);
  /** The world's Gaussians, once they are there. */
  splats: Splats | undefined;
  readonly #renderer: WebGLRenderer;
  readonly #spark: SparkRenderer;
  readonly #scene = new Scene();
  readonly #orbit: OrbitControls;
  readonly #led: LedCamera;
  readonly #walking: Walking;
  readonly #resize: ResizeObserver;
  readonly #ending = new AbortController();
  #mesh: SplatMesh | undefined;
  #guide: LineSegments<BufferGeometry, LineBasicMaterial> | undefined;
  #frame = 0;
  #beforeMs = 0;
  #isStale = true;
  #movement: Movement = "orbit";

  /** Throws where the browser has no WebGL 2. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    look: Look,
    /** Told of each frame that was drawn. */
    private readonly onDrawn: (view: View) => void,
  ) {
    this.#renderer = new WebGLRenderer({ canvas, antialias: false });
    this.#renderer.setClearColor(new Color().setRGB(...look.background, "srgb"));
    this.#spark = new SparkRenderer({
      renderer: this.#renderer,
      onDirty: () => this.redraw(),
      preBlurAmount: look.isAntialiased ? 0 : BLUR_PX2,
      blurAmount: look.isAntialiased ? BLUR_PX2 : 0,
      sortRadial: false,
    });
    this.#scene.add(this.#spark);
    this.#orbit = new OrbitControls(this.camera, canvas);
    this.#orbit.zoomToCursor = true;
    this.#orbit.addEventListener("change", () => this.redraw());
    this.#orbit.listenToKeyEvents(canvas);
    this.#led = new LedCamera(this.camera, canvas, { aim: () => this.#aim(), redraw: () => this.redraw(), signal: this.#ending.signal });
    this.#walking = new Walking(this.camera, canvas, 1, () => this.redraw());
    this.#resize = new ResizeObserver(() => this.#fit());
    this.#resize.observe(canvas);
    this.#fit();
    this.#loop(0);
  }

  /** Shows a world's file; `isUpsideDown` for files whose y axis points down. */
  async load(bytes: Uint8Array, fileName: string, isUpsideDown: boolean): Promise<Splats> {
    const mesh = new SplatMesh({ fileBytes: bytes, fileName });
    if (isUpsideDown) mesh.rotation.x = Math.PI;
    await mesh.initialized;
    return this.#take(mesh);
  }

  get movement(): Movement {
    return this.#movement;
  }

  set movement(movement: Movement) {
    if (movement === this.#movement) return;
    this.#movement = movement;
    this.#walking.isOn = movement === "walk";
    this.#orbit.enabled = movement === "orbit";
    if (movement === "orbit") this.#aim();
  }

  /** Whether dragging moves the camera; a brush takes it for itself. */
  set isHeld(isHeld: boolean) {
    this.#orbit.enabled = !isHeld && this.#movement === "orbit";
    this.#walking.isOn = !isHeld && this.#movement === "walk";
  }

  get view(): View {
    return this.#led.view;
  }

  goTo(view: View): void {
    this.#led.goTo(view);
  }

  lead(view: View): void {
    this.#led.lead(view);
  }

  get isLed(): boolean {
    return this.#led.isLed;
  }

  /** A view of the whole, from the front and a little above. */
  overview(): View {
    const [x, y, z] = this.splats?.centre ?? [0, 0, 0];
    const distance = 2.2 * (this.splats?.radius ?? 1);
    const forward = new Vector3(0, -0.3, -1).normalize();
    return {
      position: [x - forward.x * distance, y - forward.y * distance, z - forward.z * distance],
      forward: forward.toArray(),
      up: [0, 1, 0],
      verticalFieldRad: DEFAULT_FIELD_RAD,
    };
  }

  /** Where a point of the world is in the picture: pixels of the page from its left and top, and its depth; nothing for what is behind. */
  readonly project = (point: readonly [number, number, number]): readonly [number, number, number] | undefined => {
    const seen = new Vector3(...point).applyMatrix4(this.camera.matrixWorldInverse);
    const depth = -seen.z;
    if (depth <= this.camera.near) return undefined;
    seen.applyMatrix4(this.camera.projectionMatrix);
    return [((seen.x + 1) / 2) * this.canvas.clientWidth, ((1 - seen.y) / 2) * this.canvas.clientHeight, depth];
  };

  /** Draws the edges of what is being selected; nothing takes them away. */
  guide(shape?: Guide): void {
    if (this.#guide) {
      this.#scene.remove(this.#guide);
      this.#guide.geometry.dispose();
      this.#guide = undefined;
    }
    if (shape) {
      const { center, size } = shape;
      const solid = shape.isRound ? new SphereGeometry(0.5, 24, 12) : new BoxGeometry(1, 1, 1);
      this.#guide = new LineSegments(
        shape.isRound ? new WireframeGeometry(solid) : new EdgesGeometry(solid),
        new LineBasicMaterial({ color: 0xffc46b, transparent: true, opacity: 0.8 }),
      );
      solid.dispose();
      this.#guide.position.set(...center);
      this.#guide.scale.set(...size);
      this.#scene.add(this.#guide);
    }
    this.redraw();
  }

  /** Has the next frame drawn. */
  redraw(): void {
    this.#isStale = true;
  }

  /** Draws what was changed in the Gaussians. */
  refresh(): void {
    if (!this.#mesh?.packedSplats) return;
    this.#mesh.packedSplats.needsUpdate = true;
    this.#mesh.updateVersion();
    this.redraw();
  }

  thumbnail(widthPx: number, heightPx: number): string {
    this.#renderer.render(this.#scene, this.camera);
    return thumbnailOf(this.canvas, widthPx, heightPx);
  }

  /** A picture of what is shown. */
  picture(): Promise<Blob> {
    this.#renderer.render(this.#scene, this.camera);
    return new Promise((resolve, reject) => {
      this.canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/png");
    });
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    window.addEventListener("unhandledrejection", passOverEndedWork);
    this.#ending.abort();
    this.#resize.disconnect();
    this.#orbit.dispose();
    this.#walking.dispose();
    this.#mesh?.dispose();
    clearTimeout(this.#spark.updateTimeoutId);
    clearTimeout(this.#spark.sortTimeoutId);
    this.#spark.sortDirty = false;
    this.#spark.dispose();
    this.#renderer.dispose();
  }

  #take(mesh: SplatMesh): Splats {
    if (!mesh.packedSplats) throw new Error("Spark gave no packed splats");
    if (this.#mesh) this.#scene.remove(this.#mesh);
    this.#mesh = mesh;
    this.#scene.add(mesh);
    this.splats = new Splats(mesh.packedSplats, mesh.rotation.x !== 0);
    this.#walking.speed = this.splats.radius * 0.5;
    this.camera.near = Math.max(1e-4, this.splats.radius * 2e-3);
    this.camera.far = this.splats.radius * 400;
    this.camera.updateProjectionMatrix();
    this.redraw();
    return this.splats;
  }

  /** Has the camera orbit about what it looks at: the point of its line of sight that is nearest to the world's middle. */
  #aim(): void {
    const forward = this.camera.getWorldDirection(new Vector3());
    const [x, y, z] = this.splats?.centre ?? [0, 0, 0];
    const radius = this.splats?.radius ?? 1;
    const along = new Vector3(x, y, z).sub(this.camera.position).dot(forward);
    this.#orbit.target.copy(this.camera.position).addScaledVector(forward, Math.max(0.3 * radius, along));
    this.#orbit.keyPanSpeed = 20;
    this.#orbit.update();
  }

  #fit(): void {
    const { clientWidth, clientHeight } = this.canvas;
    this.#renderer.setPixelRatio(Math.min(MAX_PIXEL_RATIO, window.devicePixelRatio));
    this.#renderer.setSize(clientWidth, clientHeight, false);
    this.camera.aspect = clientWidth / Math.max(1, clientHeight);
    this.camera.updateProjectionMatrix();
    this.redraw();
  }

  readonly #loop = (nowMs: number): void => {
    this.#frame = requestAnimationFrame(this.#loop);
    const isMoving = this.#walking.step((nowMs - this.#beforeMs) / 1000);
    this.#beforeMs = nowMs;
    if (!isMoving && !this.#isStale) return;
    this.#isStale = false;
    this.#renderer.render(this.#scene, this.camera);
    this.onDrawn(this.view);
  };
}

function passOverEndedWork(event: PromiseRejectionEvent): void {
  const said: unknown = event.reason instanceof Error ? event.reason.message : event.reason;
  if (ENDED_WORK.includes(said)) event.preventDefault();
}
