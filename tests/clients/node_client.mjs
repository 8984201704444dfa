// The Node client at work: typed calls, an informer, patches, a Deployment that comes to run.
import assert from "node:assert/strict";
import * as k8s from "@kubernetes/client-node";

const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const namespace = "default";
const configMap = (name, data) => ({ metadata: { name, labels: { app: "node" } }, data });

/** Resolves when `test` holds; fails after twenty seconds. */
async function until(what, test) {
  for (let i = 0; i < 400; i++) {
    if (await test()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`in vain: ${what}`);
}

const refused = (code) => (error) => (assert.equal(error.code, code), true);

async function crud() {
  const made = await core.createNamespacedConfigMap({ namespace, body: configMap("a", { x: "1" }) });
  assert.ok(made.metadata.uid);
  await assert.rejects(core.createNamespacedConfigMap({ namespace, body: configMap("a") }), refused(409));
  made.data.x = "2";
  const replaced = await core.replaceNamespacedConfigMap({ name: "a", namespace, body: made });
  assert.deepEqual(replaced.data, { x: "2" });
  const list = await core.listNamespacedConfigMap({ namespace, labelSelector: "app=node" });
  assert.deepEqual(list.items.map((item) => item.metadata.name), ["a"]);
  await core.deleteNamespacedConfigMap({ name: "a", namespace });
  await assert.rejects(core.readNamespacedConfigMap({ name: "a", namespace }), refused(404));
}

async function informer() {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const list = () => core.listNamespacedConfigMap({ namespace, labelSelector: "app=node" });
  const seen = [];
  await core.createNamespacedConfigMap({ namespace, body: configMap("before", { n: "0" }) });
  const watched = k8s.makeInformer(config, path, list, "app=node");
  for (const kind of ["add", "update", "delete"]) {
    watched.on(kind, (object) => seen.push(`${kind} ${object.metadata.name} ${object.data.n}`));
  }
  watched.on("error", (error) => seen.push(`error ${error}`));
  await watched.start();
  await until("the first object", () => seen.includes("add before 0"));
  await core.createNamespacedConfigMap({ namespace, body: configMap("later", { n: "1" }) });
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  const applied = { apiVersion: "v1", kind: "ConfigMap", ...configMap("later", { n: "2" }) };
  applied.metadata.namespace = namespace;
  await objects.patch(applied, undefined, undefined, "node", true, k8s.PatchStrategy.ServerSideApply);
  await core.deleteNamespacedConfigMap({ name: "before", namespace });
  const expected = ["add before 0", "add later 1", "update later 2", "delete before 0"];
  await until(`events ${expected}, seen ${seen}`, () => seen.length >= expected.length);
  assert.deepEqual(seen, expected);
  assert.deepEqual(watched.list().map((object) => object.metadata.name), ["later"]);
  await watched.stop();
}

async function deployment() {
  const labels = { app: "node-web" };
  const body = {
    metadata: { name: "web" },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "nginx:1.27" }] } },
    },
  };
  await apps.createNamespacedDeployment({ namespace, body });
  const ready = async () => (await apps.readNamespacedDeployment({ name: "web", namespace })).status.readyReplicas;
  await until("three pods", async () => (await ready()) === 3);
  const pods = await core.listNamespacedPod({ namespace, labelSelector: "app=node-web" });
  assert.ok(pods.items.every((pod) => pod.status.phase === "Running"));
  await apps.deleteNamespacedDeployment({ name: "web", namespace });
  const left = async () => (await core.listNamespacedPod({ namespace, labelSelector: "app=node-web" })).items.length;
  await until("no pods", async () => (await left()) === 0);
}

for (const step of [crud, informer, deployment]) {
  await step();
  console.log(`${step.name}: ok`);
}
