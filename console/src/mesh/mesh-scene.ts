// A mesh on a canvas, turned about its middle. Frames are drawn only where something changed.
import {
  AmbientLight,
  Box3,
  Color,
  DirectionalLight,
  HemisphereLight,
  type Material,
  Mesh,
  MeshBasicMaterial,
  PerspectiveCamera,
  Scene,
  Sphere,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { theme } from "../parts/theme";
import type { View } from "../world/cameras";
import { type Flown, LedCamera, thumbnailOf } from "../world/led-camera";

const MAX_PIXEL_RATIO = 2;
const FIELD_DEG = 50;

export class MeshScene implements Flown {
  faceCount = 0;
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  readonly #camera = new PerspectiveCamera(FIELD_DEG, 16 / 10, 0.01, 10_000);
  readonly #controls: OrbitControls;
  readonly #led: LedCamera;
  readonly #ending = new AbortController();
  readonly #bounds = new Sphere();
  readonly #resize: ResizeObserver;
  readonly #unfollow: () => void;
  #frame = 0;

  /** Throws where the browser has no WebGL 2. */
  constructor(private readonly canvas: HTMLCanvasElement) {
    this.#renderer = new WebGLRenderer({ canvas, antialias: true });
    this.#scene.add(new AmbientLight(0xffffff, 0.4), new HemisphereLight(0xffffff, 0x777777, 1.2));
    const sun = new DirectionalLight(0xffffff, 1.8);
    sun.position.set(2, 3, 4);
    this.#scene.add(sun);
    this.#controls = new OrbitControls(this.#camera, canvas);
    this.#controls.zoomToCursor = true;
    this.#controls.listenToKeyEvents(canvas);
    this.#controls.addEventListener("change", () => this.redraw());
    this.#led = new LedCamera(this.#camera, canvas, { aim: () => this.#aim(), redraw: () => this.redraw(), signal: this.#ending.signal });
    this.#resize = new ResizeObserver(() => this.#fit());
    this.#resize.observe(canvas);
    this.#unfollow = theme.subscribe(() => this.#recolour());
    this.#recolour();
  }

  /** Shows a GLB's triangles; tells whether it has any. */
  async load(bytes: Uint8Array): Promise<boolean> {
    const { scene } = await new GLTFLoader().parseAsync(bytes.slice().buffer, "");
    scene.traverse((item) => {
      if (!(item instanceof Mesh)) return;
      const { geometry } = item;
      this.faceCount += (geometry.index?.count ?? geometry.attributes.position?.count ?? 0) / 3;
      // Colours at corners come of photos and have their light in them.
      if (geometry.attributes.color) item.material = new MeshBasicMaterial({ vertexColors: true });
      else if (!geometry.attributes.normal) geometry.computeVertexNormals();
    });
    if (this.faceCount === 0) return false;
    this.#scene.add(scene);
    const bounds = new Box3().setFromObject(scene).getBoundingSphere(this.#bounds);
    this.#controls.target.copy(bounds.center);
    this.#camera.position.copy(bounds.center).addScaledVector(new Vector3(0, 0.3, 1).normalize(), 2.4 * bounds.radius);
    this.#camera.near = bounds.radius * 2e-3;
    this.#camera.far = bounds.radius * 400;
    this.#camera.updateProjectionMatrix();
    this.#controls.update();
    this.redraw();
    return true;
  }

  get view(): View {
    return this.#led.view;
  }

  get isLed(): boolean {
    return this.#led.isLed;
  }

  goTo(view: View): void {
    this.#led.goTo(view);
  }

  lead(view: View): void {
    this.#led.lead(view);
  }

  thumbnail(widthPx: number, heightPx: number): string {
    this.#renderer.render(this.#scene, this.#camera);
    return thumbnailOf(this.canvas, widthPx, heightPx);
  }

  redraw(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#renderer.render(this.#scene, this.#camera);
    });
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#ending.abort();
    this.#unfollow();
    this.#resize.disconnect();
    this.#controls.dispose();
    this.#scene.traverse((item) => {
      if (!(item instanceof Mesh)) return;
      item.geometry.dispose();
      for (const material of [item.material].flat() as Material[]) material.dispose();
    });
    this.#renderer.dispose();
  }

  /** Has the camera turn about what it looks at: the point of its line of sight that is nearest to the mesh's middle. */
  #aim(): void {
    const forward = this.#camera.getWorldDirection(new Vector3());
    const { center, radius } = this.#bounds;
    const along = center.clone().sub(this.#camera.position).dot(forward);
    this.#controls.target.copy(this.#camera.position).addScaledVector(forward, Math.max(0.3 * radius, along));
    this.#controls.update();
  }

  #recolour(): void {
    this.#renderer.setClearColor(new Color(getComputedStyle(this.canvas).getPropertyValue("background-color") || "#000"));
    this.redraw();
  }

  #fit(): void {
    const { clientWidth, clientHeight } = this.canvas;
    this.#renderer.setPixelRatio(Math.min(MAX_PIXEL_RATIO, window.devicePixelRatio));
    this.#renderer.setSize(clientWidth, clientHeight, false);
    this.#camera.aspect = clientWidth / Math.max(1, clientHeight);
    this.#camera.updateProjectionMatrix();
    this.redraw();
  }
}
