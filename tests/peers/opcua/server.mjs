// An OPC UA server that shares no code with ours; prints one JSON line when it listens, obeys commands on standard input.
import { createInterface } from "node:readline";
import { join } from "node:path";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import { OPCUAServer } from "node-opcua-server";
import { StatusCodes } from "node-opcua-status-code";
import { DataType, VariantArrayType } from "node-opcua-variant";

const folder = process.argv[2];

const serverCertificateManager = new OPCUACertificateManager({
  automaticallyAcceptUnknownCertificate: process.argv[3] !== "strict",
  rootFolder: join(folder, "pki"),
});
await serverCertificateManager.initialize();

const server = new OPCUAServer({
  port: 0,
  hostname: "127.0.0.1",
  serverCertificateManager,
  allowAnonymous: true,
  userManager: { isValidUser: (user, password) => user === "operator" && password === process.env.PEER_PASSWORD },
  serverInfo: { applicationUri: "urn:peer:server" },
  buildInfo: { productName: "peer" },
});
await server.initialize();
const space = server.engine.addressSpace;
const own = space.getOwnNamespace();
const plant = own.addFolder(space.rootFolder.objects, { browseName: "Plant", nodeId: "s=Plant" });

const variables = new Map();
function declare(name, dataType, value, extra = {}) {
  const variable = own.addVariable({
    componentOf: plant, browseName: name, nodeId: `s=${name}`, dataType, minimumSamplingInterval: 50,
    value: { dataType: extra.store ?? dataType, value, arrayType: extra.array ?? VariantArrayType.Scalar }, ...extra.options,
  });
  variables.set(name, [variable, extra.store ?? dataType]);
  return variable;
}
for (const [name, value] of [
  ["SByte", -5], ["Byte", 250], ["Int16", -300], ["UInt16", 60000], ["Int32", -70000], ["UInt32", 4000000000],
  ["Float", 1.5], ["Double", 2.25], ["Boolean", true], ["String", "压力"], ["DateTime", new Date(Date.UTC(2026, 0, 2))],
]) {
  declare(name, name, value);
}
declare("Int64", "Int64", [0xffffffff, 0xfffffff0]); // -16
declare("UInt64", "UInt64", [0xffffffff, 0xffffffff]);
declare("Numbers", "Double", new Float64Array([1, 2, 3]), {
  array: VariantArrayType.Array, options: { valueRank: 1, arrayDimensions: [3] },
});
own.addEnumerationType({ browseName: "Mode", enumeration: ["Stop", "Run", "Hold"] });
const mode = own.addVariable({
  componentOf: plant, browseName: "Mode", nodeId: "s=Mode", dataType: space.findDataType("Mode", own.index),
  value: { dataType: DataType.Int32, value: 1 },
});
variables.set("Mode", [mode, "Int32"]);
own.addAnalogDataItem({
  componentOf: plant, browseName: "Level", nodeId: "s=Level", dataType: "Double", engineeringUnitsRange: { low: 0, high: 10 },
  engineeringUnits: { namespaceUri: "http://www.opcfoundation.org/UA/units/un/cefact", unitId: 5067858,
    displayName: { text: "m" }, description: { text: "metre" } },
  value: { dataType: DataType.Double, value: 4.5 },
});
declare("Locked", "Double", 1, { options: { accessLevel: "CurrentRead", userAccessLevel: "CurrentRead" } });

await server.start();
const port = server.endpoints[0].port;
process.stdout.write(JSON.stringify({ port, namespace: own.index }) + "\n");

for await (const line of createInterface({ input: process.stdin })) {
  const { name, value, status } = JSON.parse(line);
  const [variable, dataType] = variables.get(name);
  variable.setValueFromSource({ dataType, value }, StatusCodes[status ?? "Good"], new Date());
}
await server.shutdown(0);
