export default function EditPanel(_: unknown) {
  return <p>soon</p>;
}
