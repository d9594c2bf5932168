{{- /* The call graph, with the chart's own service for each area. */}}
{{- define "praxiscope.calls" -}}
{{- .Files.Get "files/calls.yaml" -}}
{{- end }}

{{- /* The identities under which a service calls: its API's and its worker's. Takes root and service. */}}
{{- define "praxiscope.principals" -}}
{{- range $w := (include "praxiscope.workloads" .root | fromYaml).workloads -}}
{{- if and (eq $w.service $.service) (eq $w.version "stable") }}
- {{ include "praxiscope.identity" (dict "root" $.root "name" $w.account) }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "praxiscope.authorizationHead" }}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: {{ .name }}
  labels: {{- include "praxiscope.labels" . | nindent 4 }}
spec:
  selector:
    matchLabels: {{- include "praxiscope.selector" . | nindent 6 }}
  action: ALLOW
{{- end }}

{{- /* Lets identities call methods; with a token of ours where the methods want one. Takes principals (YAML), paths, isToken. */}}
{{- define "praxiscope.rule" -}}
- from:
  - source:
      principals: {{- .principals | nindent 6 }}
      {{- if .isToken }}
      requestPrincipals: ["praxiscope-auth/*"]
      {{- end }}
  to:
  - operation:
      methods: [POST]
      paths: {{- toYaml .paths | nindent 6 }}
{{- end }}

{{- /* How a service is called: balanced by call, bounded, away from pods that fail and towards the caller's own zone. */}}
{{- define "praxiscope.trafficPolicy" -}}
tls: {mode: ISTIO_MUTUAL}
connectionPool:
  tcp: {connectTimeout: 2s, tcpKeepalive: {time: 60s, interval: 20s}}
  http: {http2MaxRequests: {{ int .Values.mesh.maxRequests }}, http1MaxPendingRequests: {{ int .Values.mesh.maxRequests }}}
outlierDetection:
  consecutiveGatewayErrors: 5
  consecutive5xxErrors: 0
  interval: 5s
  baseEjectionTime: 15s
  maxEjectionPercent: 50
  # With fewer than half of the pods well, all are asked: some answers are better than none.
  minHealthPercent: 50
loadBalancer:
  simple: LEAST_REQUEST
  localityLbSetting: {enabled: true}
{{- end }}
