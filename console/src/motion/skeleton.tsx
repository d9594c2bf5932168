// The skeleton in space, at the video's time. Its scene is drawn only when something changes.
import { useEffect, useRef } from "react";
import {
  BufferAttribute,
  BufferGeometry,
  Color,
  GridHelper,
  LineBasicMaterial,
  LineSegments,
  PerspectiveCamera,
  Points,
  PointsMaterial,
  Scene,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { theme } from "../parts/theme";
import { rowAt } from "./motion";
import { BONES, type Markers } from "./trc";

const GRID_M = 4;

export default function Skeleton({ markers, nowS }: { readonly markers: Markers; readonly nowS: number }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef<SkeletonScene>(undefined);
  useEffect(() => {
    if (!canvas.current) return;
    let made: SkeletonScene | undefined;
    try {
      made = new SkeletonScene(canvas.current, markers);
    } catch {
      return; // without WebGL there is no canvas to draw on; the words below say so
    }
    drawn.current = made;
    const unfollow = theme.subscribe(() => made.recolour());
    return () => {
      unfollow();
      made.dispose();
      drawn.current = undefined;
    };
  }, [markers]);
  useEffect(() => drawn.current?.show(nowS), [nowS]);
  return (
    <canvas ref={canvas} className="skeleton-canvas" role="img" aria-label="The skeleton in space; drag to turn it">
      This browser cannot draw in three dimensions.
    </canvas>
  );
}

class SkeletonScene {
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  readonly #camera = new PerspectiveCamera(40, 4 / 3, 0.05, 60);
  readonly #controls: OrbitControls;
  readonly #bones: LineSegments<BufferGeometry, LineBasicMaterial>;
  readonly #joints: Points<BufferGeometry, PointsMaterial>;
  readonly #grid: GridHelper;
  readonly #pairs: readonly (readonly [number, number])[];
  readonly #resize: ResizeObserver;
  #nowS = 0;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly markers: Markers,
  ) {
    this.#renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    this.#pairs = BONES.map(([start, end]) => [markers.names.indexOf(start), markers.names.indexOf(end)] as const).filter(
      ([start, end]) => start >= 0 && end >= 0,
    );
    this.#bones = new LineSegments(emptyGeometry(this.#pairs.length * 2), new LineBasicMaterial());
    this.#joints = new Points(emptyGeometry(markers.names.length), new PointsMaterial({ size: 0.045 }));
    this.#grid = new GridHelper(GRID_M, 16);
    Object.assign(this.#grid.material, { transparent: true, opacity: 0.35 });
    this.#bones.frustumCulled = false;
    this.#joints.frustumCulled = false;
    this.#scene.add(this.#grid, this.#bones, this.#joints);
    this.#controls = new OrbitControls(this.#camera, canvas);
    this.#controls.addEventListener("change", () => this.#draw());
    this.#camera.position.set(1.3, 0.5, 3);
    this.#resize = new ResizeObserver(() => {
      this.#renderer.setPixelRatio(Math.min(2, window.devicePixelRatio));
      this.#renderer.setSize(canvas.clientWidth, canvas.clientHeight, false);
      this.#camera.aspect = canvas.clientWidth / Math.max(1, canvas.clientHeight);
      this.#camera.updateProjectionMatrix();
      this.#draw();
    });
    this.#resize.observe(canvas);
    this.recolour();
    this.show(0);
  }

  show(nowS: number): void {
    this.#nowS = nowS;
    const { names, timeS, positionsM } = this.markers;
    const row = Math.min(timeS.length - 1, Math.max(0, rowAt(timeS, nowS)));
    const at = (marker: number) => positionsM.subarray((row * names.length + marker) * 3, (row * names.length + marker) * 3 + 3);
    const isSeen = (marker: number) => Number.isFinite(at(marker)[0]);
    fill(
      this.#bones.geometry,
      this.#pairs.filter(([start, end]) => isSeen(start) && isSeen(end)).flatMap(([start, end]) => [...at(start), ...at(end)]),
    );
    const seen = names.flatMap((_, marker) => (isSeen(marker) ? [...at(marker)] : []));
    fill(this.#joints.geometry, seen);
    this.#followTo(seen);
    this.#draw();
  }

  recolour(): void {
    const style = getComputedStyle(document.documentElement);
    this.#bones.material.color = new Color(style.getPropertyValue("--accent").trim());
    this.#joints.material.color = new Color(style.getPropertyValue("--curve-2").trim());
    this.show(this.#nowS);
  }

  dispose(): void {
    this.#resize.disconnect();
    this.#controls.dispose();
    this.#renderer.dispose();
  }

  /** Shifts the camera, and the ground's grid below it, along with the person. */
  #followTo(seen: readonly number[]): void {
    if (seen.length === 0) return;
    const mean = (axis: number) => seen.filter((_, index) => index % 3 === axis).reduce((sum, value) => sum + value, 0) / (seen.length / 3);
    const middle = new Vector3(mean(0), mean(1), mean(2));
    const moved = middle.clone().sub(this.#controls.target);
    this.#controls.target.copy(middle);
    this.#camera.position.add(moved);
    this.#grid.position.set(middle.x, 0, middle.z);
    this.#controls.update();
  }

  #draw(): void {
    this.#renderer.render(this.#scene, this.#camera);
  }
}

function emptyGeometry(count: number): BufferGeometry {
  return new BufferGeometry().setAttribute("position", new BufferAttribute(new Float32Array(count * 3), 3));
}

function fill(geometry: BufferGeometry, values: readonly number[]): void {
  const attribute = geometry.getAttribute("position") as BufferAttribute;
  attribute.array.set(values);
  attribute.needsUpdate = true;
  geometry.setDrawRange(0, values.length / 3);
}
