"""The generator of the files of k8s/base that are made from others: the rules and the dashboards."""
