// node netron_driver.mjs FOLDER-OF-NETRON MODEL: what Netron's reader makes of it, as JSON.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, file] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(path.join(folder, name)));
const { ModelFactory } = await load('om.js');
const proto = await load('om-proto.js');

const bytes = new Uint8Array(fs.readFileSync(file));
const known = JSON.parse(fs.readFileSync(path.join(folder, 'om-metadata.json'), 'utf-8'));
const types = new Map(known.map((type) => [type.name, type]));
const context = {
    stream: {
        length: bytes.length,
        peek: (length) => (length === undefined ? bytes : bytes.subarray(0, length)),
    },
    set(type, value) {
        this.value = value;
        return type;
    },
    require: async () => proto,
    metadata: async () => ({ type: (name) => types.get(name) }),
};

const factory = new ModelFactory();
if (!await factory.match(context)) {
    throw new Error('Netron does not recognise the file');
}
context.value.context.require = context.require;
const model = await factory.open(context);
const tensor = (value) => [
    value.name,
    value.type ? value.type.toString() : null,
    value.initializer ? value.initializer.values.length : null,
];
const tensors = (list) => list.flatMap((argument) => argument.value.filter(Boolean).map(tensor));
const node = (item) => ({
    name: item.name,
    type: item.type.name,
    inputs: tensors(item.inputs),
    outputs: tensors(item.outputs),
    attributes: item.attributes.map((attribute) => attribute.name),
});
const graph = (item) => ({ name: item.name, nodes: item.nodes.map(node) });
console.log(JSON.stringify({ format: model.format, graphs: model.modules.map(graph) }));
