// Binary glTF as geo/scene.py writes it: quantised positions, bytes for normals, the building of each corner.

const KINDS = { 5120: Int8Array, 5121: Uint8Array, 5122: Int16Array, 5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array };

/** Buildings of a tile: geometry in metres from the origin of the scene, and what is known of each building. */
export function readGlb(THREE, buffer) {
  const view = new DataView(buffer);
  if (view.getUint32(0, true) !== 0x46546c67) throw new Error("not glTF");
  const length = view.getUint32(12, true);
  const gltf = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, length)));
  const start = 28 + length;
  const bytes = (number) => {
    const { byteOffset, byteLength } = gltf.bufferViews[number];
    return [start + byteOffset, byteLength];
  };
  const geometry = new THREE.BufferGeometry();
  if (!gltf.meshes) return null;
  const { primitives } = gltf.meshes[0];
  const attribute = (number, itemSize) => {
    const accessor = gltf.accessors[number];
    const [offset, size] = bytes(accessor.bufferView);
    const Kind = KINDS[accessor.componentType];
    const stride = gltf.bufferViews[accessor.bufferView].byteStride / Kind.BYTES_PER_ELEMENT;
    const data = new THREE.InterleavedBuffer(new Kind(buffer, offset, size / Kind.BYTES_PER_ELEMENT), stride);
    return new THREE.InterleavedBufferAttribute(data, itemSize, 0, accessor.normalized === true);
  };
  const { POSITION, NORMAL, _FEATURE_ID_0 } = primitives[0].attributes;
  geometry.setAttribute("position", attribute(POSITION, 3));
  geometry.setAttribute("normal", attribute(NORMAL, 3));
  geometry.setAttribute("building", attribute(_FEATURE_ID_0, 1));
  const Index = KINDS[gltf.accessors[primitives[0].indices].componentType];
  const [offset, size] = bytes(gltf.accessors[primitives[0].indices].bufferView);
  const index = new Index(buffer, offset, size / Index.BYTES_PER_ELEMENT);
  for (const primitive of primitives) {
    const { byteOffset = 0, count } = gltf.accessors[primitive.indices];
    geometry.addGroup(byteOffset / Index.BYTES_PER_ELEMENT, count, primitive.material);
  }
  geometry.setIndex(new THREE.BufferAttribute(index, 1));
  const { scale, translation } = gltf.nodes[0];

  const table = gltf.extensions.EXT_structural_metadata.propertyTables[0];
  const strings = ({ values, stringOffsets }) => {
    const [from] = bytes(values);
    const ends = new Uint32Array(buffer, bytes(stringOffsets)[0], table.count + 1);
    const decoder = new TextDecoder();
    return Array.from({ length: table.count }, (_, n) => decoder.decode(new Uint8Array(buffer, from + ends[n], ends[n + 1] - ends[n])));
  };
  const numbers = ({ values }, Kind) => new Kind(buffer, bytes(values)[0], table.count);
  const { id, label, storeys, ground, top } = table.properties;
  return {
    geometry, scale: scale[0], translation,
    ids: strings(id), labels: strings(label),
    storeys: numbers(storeys, Uint8Array), ground: numbers(ground, Float32Array), top: numbers(top, Float32Array),
  };
}

/** The ground as a grid, row by row from the south-west: heights in metres from the origin. */
export function readGround(buffer) {
  const view = new DataView(buffer);
  const length = view.getUint32(12, true);
  const gltf = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, length)));
  const { bufferView, count } = gltf.accessors[gltf.meshes[0].primitives[0].attributes.POSITION];
  const { byteOffset, byteStride } = gltf.bufferViews[bufferView];
  const [{ scale, translation }] = gltf.nodes;
  const corners = new Int16Array(buffer, 28 + length + byteOffset, (count * byteStride) / 2);
  return Float32Array.from({ length: count }, (_, n) => corners[(n * byteStride) / 2 + 1] * scale[1] + translation[1]);
}

/** The boxes of a tile's buildings, from all their corners: [x, y, z] low and high in metres from the origin. */
export function boxesOf(tile) {
  const { geometry, scale, translation } = tile;
  const position = geometry.getAttribute("position");
  const building = geometry.getAttribute("building");
  const boxes = tile.ids.map(() => [Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity]);
  for (let n = 0; n < position.count; n += 1) {
    const box = boxes[building.getX(n)];
    const at = [position.getX(n), position.getY(n), position.getZ(n)];
    for (let axis = 0; axis < 3; axis += 1) {
      const value = at[axis] * scale + translation[axis];
      if (value < box[axis]) box[axis] = value;
      if (value > box[axis + 3]) box[axis + 3] = value;
    }
  }
  return boxes;
}

/** Leave these buildings out of a tile: its triangles are numbered anew. */
export function withoutBuildings(THREE, tile, gone) {
  tile.whole ??= { index: tile.geometry.index, groups: tile.geometry.groups };
  const { index, groups } = tile.whole;
  const rows = new Set(tile.ids.flatMap((id, row) => (gone.has(id) ? [row] : [])));
  tile.geometry.clearGroups();
  if (!rows.size) {
    tile.geometry.setIndex(index);
    for (const { start, count, materialIndex } of groups) tile.geometry.addGroup(start, count, materialIndex);
    return;
  }
  const building = tile.geometry.getAttribute("building");
  const kept = [];
  for (const { start, count, materialIndex } of groups) {
    const first = kept.length;
    for (let n = start; n < start + count; n += 3) {
      if (!rows.has(building.getX(index.getX(n)))) kept.push(index.getX(n), index.getX(n + 1), index.getX(n + 2));
    }
    tile.geometry.addGroup(first, kept.length - first, materialIndex);
  }
  tile.geometry.setIndex(new THREE.BufferAttribute(new index.array.constructor(kept), 1));
}
