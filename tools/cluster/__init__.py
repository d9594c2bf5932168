"""A Kubernetes on this machine: `make cluster`, `make cluster-down`, and what builds images where no registry can be reached.

    images ──► debian (buildah, base systems) ──► oci (a layout that containerd reads)
    cluster ─► components (etcd, Kubernetes, CoreDNS, metrics-server: built from Go modules)
            └► nodes ─► holder (namespaces of their own) ─► containerd, kubelet, kube-proxy, network_policies

What is fetched and built is kept in `.praxiscope/cluster`; nothing is installed into the machine, and nothing of it is changed.
"""
