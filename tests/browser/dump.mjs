// Dumps of clusters, as `kubectl get -o json` writes them.

const GROUP = "whereabouts.cni.cncf.io/v1alpha1";

const list = (items) => JSON.stringify({ apiVersion: "v1", kind: "List", items });

export const entry = (podref) => ({ id: `id-of-${podref}`, ifname: "net1", podref });

export const pool = (name, range, allocations) => ({
  apiVersion: GROUP,
  kind: "IPPool",
  metadata: { name, namespace: "kube-system" },
  spec: { range, allocations },
});

export const pod = (podref, address) => {
  const [namespace, name] = podref.split("/");
  const status = JSON.stringify([{ name: "default/net", interface: "net1", ips: [address] }]);
  const annotations = { "k8s.v1.cni.cncf.io/network-status": status };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, annotations }, status: { phase: "Running" } };
};

// A pool whose entries are `owners`, by offset, and a pod for each owner that is not gone.
function network(name, range, address, owners) {
  const allocations = {};
  const pods = [];
  for (const [offset, owner] of owners) {
    allocations[offset] = entry(owner);
    if (owner && !owner.includes("-old-")) pods.push(pod(owner, address(offset)));
  }
  return [pool(name, range, allocations), ...pods];
}

// Every seventh of `count` owners is reserved by hand, or gone, as the letters say.
function owners(count, of, step = 1) {
  return Array.from({ length: count }, (_, index) => {
    const offset = 1 + index * step;
    if (index < 2) return [offset, ""];
    return [offset, (index * 37) % 23 === 5 ? `shop/${of}-old-${index}` : `shop/${of}-${index}`];
  });
}

// A small cluster with something of everything.
export const cluster = () =>
  list([
    ...network("10.20.0.0-24", "10.20.0.0/24", (it) => `10.20.0.${it}`, owners(140, "web")),
    ...network("10.20.1.0-24", "10.20.1.0/24", (it) => `10.20.1.${it}`, owners(240, "db")),
    ...network("10.40.0.0-25", "10.40.0.0/25", (it) => `10.40.0.${it}`, owners(40, "voice").filter(([, it]) => it && !it.includes("-old-"))),
    ...network("10.40.0.0-26", "10.40.0.0/26", (it) => `10.40.0.${it}`, owners(44, "lab").slice(34)),
    ...network("storage-10.30.0.0-22", "10.30.0.0/22", (it) => `10.30.${it >> 8}.${it & 255}`, owners(420, "ceph")),
    ...network("batch-10.64.0.0-16", "10.64.0.0/16", (it) => `10.64.${it >> 8}.${it & 255}`, owners(9000, "batch")),
    ...network("fd00-20-30---64", "fd00:20:30::/64", (it) => `fd00:20:30::${it.toString(16)}`, owners(60, "six", 7)),
  ]);

// A pool whose owners are scripts, and whose name is markup.
export const hostile = () =>
  list([
    pool("10.50.0.0-24", "10.50.0.0/24", {
      1: entry("shop/<script>window.stolen = true</script>"),
      2: entry("shop/</script><img src=x onerror='window.stolen = true'>"),
      3: entry("shop/\u2028\u202e<!--"),
    }),
    pool("<b onmouseover=alert(1)>x</b>", "10.51.0.0/24<script>window.stolen = true</script>", {}),
    pod("shop/other", "192.0.2.1"),
  ]);

// 5,000 pools with 200 entries each, one in a hundred of which has an owner that is gone.
export const large = () => {
  // A pod that has not started need not show an address.
  const items = [{ ...pod("shop/web", "192.0.2.1"), status: { phase: "Pending" } }];
  for (let number = 0; number < 5000; number++) {
    const allocations = {};
    for (let offset = 1; offset <= 200; offset++) {
      allocations[offset] = { ...entry(offset % 100 === 0 ? `shop/gone-${number}` : "shop/web"), ifname: `net${offset}` };
    }
    const network = `10.${number >> 8}.${number & 255}.0`;
    items.push(pool(`${network}-24`, `${network}/24`, allocations));
  }
  return list(items);
};
