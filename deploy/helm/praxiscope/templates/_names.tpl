{{- /* Names, labels and images. One release a namespace: names carry no prefix, so that a service's name is its address and its identity. */}}

{{- define "praxiscope.labels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: praxiscope
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "praxiscope.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{- /* The image of one of our parts; a canary has a tag of its own. */}}
{{- define "praxiscope.image" -}}
{{- $image := .root.Values.image -}}
{{- $digest := get $image.digests .name -}}
{{- if and $digest (not .tag) -}}
{{ $image.registry }}/praxiscope-{{ .name }}@{{ $digest }}
{{- else -}}
{{ $image.registry }}/praxiscope-{{ .name }}:{{ .tag | default $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* What every variable of a service starts with, as the code has it. */}}
{{- define "praxiscope.prefix" -}}
PRAXISCOPE_{{ . | upper | replace "-" "_" }}_
{{- end }}

{{- define "praxiscope.databaseHost" -}}
{{ ternary "postgres" .Values.database.host .Values.postgres.enabled }}
{{- end }}

{{- define "praxiscope.databasePort" -}}
{{ ternary 5432 (int .Values.database.port) .Values.postgres.enabled }}
{{- end }}

{{- define "praxiscope.databaseTlsMode" -}}
{{ ternary "disable" .Values.database.tlsMode .Values.postgres.enabled }}
{{- end }}

{{- define "praxiscope.storeEndpoint" -}}
{{ ternary "http://object-store:8333" .Values.store.endpointUrl .Values.objectStore.enabled }}
{{- end }}

{{- define "praxiscope.otlpEndpoint" -}}
{{ ternary "otel-collector:4317" .Values.telemetry.otlpEndpoint .Values.telemetry.collector.enabled }}
{{- end }}

{{- /* Jobs are Helm's hooks where the database is there before us; where it is one of ours they are objects like others, and pods wait for them. */}}
{{- define "praxiscope.jobsAreHooks" -}}
{{- if and .Values.hooks (not .Values.postgres.enabled) }}true{{ end -}}
{{- end }}

{{- define "praxiscope.identity" -}}
{{ .root.Values.mesh.trustDomain }}/ns/{{ .root.Release.Namespace }}/sa/{{ .name }}
{{- end }}

{{- define "praxiscope.checkFallback" -}}
{{- with .scaling -}}
{{- if and .enabled (or (lt (int .fallback) (int .min)) (gt (int .fallback) (int .max))) -}}
{{ fail (printf "%s.autoscaling: fallback is %d, which is not between min, %d, and max, %d" $.where (int .fallback) (int .min) (int .max)) }}
{{- end -}}
{{- end -}}
{{- end }}
