{{- /* The applications that call a service, as the table says. Takes root and service. */}}
{{- define "praxiscope.callers" -}}
{{- $names := list -}}
{{- range $w := (include "praxiscope.workloads" .root | fromYaml).workloads -}}
  {{- $calls := $w.row.calls | default list -}}
  {{- if and (ne $w.component "gateway") (ne $w.service "auth") }}{{- $calls = append $calls "auth" -}}{{- end -}}
  {{- if has $.service $calls }}{{- $names = append $names (include "praxiscope.application" $w) -}}{{- end -}}
{{- end -}}
{{- if and .root.Values.operator.enabled (has .service (list "auth" "vision-inference")) }}{{- $names = append $names "operator" -}}{{- end -}}
{{- toYaml (dict "names" (uniq $names | sortAlpha)) -}}
{{- end }}

{{- /* The applications with a trait of the table: database, store, triton. */}}
{{- define "praxiscope.having" -}}
{{- $names := list -}}
{{- range $w := (include "praxiscope.workloads" .root | fromYaml).workloads -}}
  {{- if get $w.row $.trait }}{{- $names = append $names (include "praxiscope.application" $w) -}}{{- end -}}
{{- end -}}
{{- toYaml (dict "names" (uniq $names | sortAlpha)) -}}
{{- end }}

{{- /* The Jobs that talk to the database. */}}
{{- define "praxiscope.databaseJobs" -}}
{{- $names := list "migrate-jobs" -}}
{{- range $service, $row := .Values.services }}{{- if $row.migrate }}{{- $names = append $names (printf "migrate-%s" $service) -}}{{- end -}}{{- end -}}
{{- if .Values.database.createRoles }}{{- $names = append $names "database-roles" -}}{{- end -}}
{{- if .Values.bootstrap.enabled }}{{- $names = append $names "bootstrap" -}}{{- end -}}
{{- toYaml (dict "names" $names) -}}
{{- end }}

{{- define "praxiscope.peers" -}}
{{- range .names }}
- podSelector:
    matchLabels: {{- include "praxiscope.selector" (dict "root" $.root "name" .) | nindent 6 }}
{{- end }}
{{- end }}

{{- define "praxiscope.namespacePeer" -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ . }}}
{{- end }}

{{- define "praxiscope.cidrPeers" -}}
{{- range . }}
- ipBlock: {cidr: {{ . }}}
{{- end }}
{{- end }}

{{- define "praxiscope.egressToDatabase" -}}
- to:
  {{- if .Values.postgres.enabled }}
  {{- include "praxiscope.peers" (dict "root" . "names" (list "postgres")) | nindent 2 }}
  {{- else }}
  {{- include "praxiscope.cidrPeers" .Values.database.cidrs | nindent 2 }}
  {{- end }}
  ports: [{protocol: TCP, port: {{ include "praxiscope.databasePort" . }}}]
{{- end }}

{{- define "praxiscope.egressToStore" -}}
- to:
  {{- if .Values.objectStore.enabled }}
  {{- include "praxiscope.peers" (dict "root" . "names" (list "object-store")) | nindent 2 }}
  {{- else }}
  {{- include "praxiscope.cidrPeers" .Values.store.cidrs | nindent 2 }}
  {{- end }}
  ports: [{protocol: TCP, port: {{ ternary 8333 (int .Values.store.port) .Values.objectStore.enabled }}}]
{{- end }}

{{- define "praxiscope.egressToTraces" -}}
{{- if .Values.telemetry.collector.enabled }}
- to: {{- include "praxiscope.peers" (dict "root" . "names" (list "otel-collector")) | nindent 2 }}
  ports: [{protocol: TCP, port: 4317}, {protocol: TCP, port: 4318}]
{{- else if .Values.telemetry.otlpEndpoint }}
- to: {{- include "praxiscope.namespacePeer" .Values.telemetry.otlpNamespace | nindent 2 }}
  ports: [{protocol: TCP, port: {{ regexFind "[0-9]+$" .Values.telemetry.otlpEndpoint }}}, {protocol: TCP, port: 4318}]
{{- end }}
{{- end }}

{{- define "praxiscope.ingressOfScrapes" -}}
- from: {{- include "praxiscope.namespacePeer" .root.Values.networkPolicies.monitoringNamespace | nindent 2 }}
  ports: [{protocol: TCP, port: {{ int .port }}}]
{{- end }}

{{- /* The head of a policy for one application. Takes root and name. */}}
{{- define "praxiscope.policyHead" }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ .name }}
  labels: {{- include "praxiscope.labels" . | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- include "praxiscope.selector" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end }}

{{- define "praxiscope.egressToKubernetes" -}}
- to: {{- include "praxiscope.cidrPeers" .Values.networkPolicies.kubernetesApiCidrs | nindent 2 }}
  ports:
  {{- range .Values.networkPolicies.kubernetesApiPorts }}
  - {protocol: TCP, port: {{ int . }}}
  {{- end }}
{{- end }}
