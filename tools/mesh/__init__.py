"""A service mesh on this machine: `make test-mesh`. Istio's own control plane compiles what the chart says, and Envoy enforces it in front of our services.

    mesh ─► control_plane (etcd, API server, istiod: built from Go modules)
         ├► objects (the chart, and what Kubernetes' controllers and Istio's injection would make of it)
         └► pods ─► a network namespace each: pilot-agent's own interception of traffic, pilot-agent, Envoy, our service

Everything runs in process, mount and network namespaces of its own and is gone with them; nothing of the machine is changed.
"""
