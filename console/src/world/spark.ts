// What the page's own code takes of Spark besides its viewer; one door, so that tests can stand in for it.
export { fromHalf, type PackedSplats, setPackedSplat } from "@sparkjsdev/spark";
