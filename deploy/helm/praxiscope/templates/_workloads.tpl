{{- /* `over` laid over `base`, map by map; Sprig's own merge passes over `false` and 0. */}}
{{- define "praxiscope.merged" -}}
{{- $result := deepCopy .base -}}
{{- range $key, $value := .over -}}
  {{- if and (kindIs "map" $value) (kindIs "map" (get $result $key)) -}}
    {{- $_ := set $result $key (include "praxiscope.merged" (dict "base" (get $result $key) "over" $value) | fromYaml) -}}
  {{- else -}}
    {{- $_ := set $result $key $value -}}
  {{- end -}}
{{- end -}}
{{- toYaml $result -}}
{{- end }}

{{- /*
The table of services as a list of Deployments:
  {name, account, service, component: api|worker|gateway, command, settings, metricsPort, row, version, tag, isScaled}
*/}}
{{- define "praxiscope.workloads" -}}
{{- $list := list -}}
{{- range $service, $row := .Values.services -}}
  {{- $settings := include "praxiscope.merged" (dict "base" $.Values.defaults.api "over" ($row.api | default dict)) | fromYaml -}}
  {{- $component := ternary "gateway" "api" (eq ($row.protocol | default "grpc") "http") -}}
  {{- $base := dict "service" $service "row" $row "component" $component "command" "serve" "metricsPort" $row.metricsPort -}}
  {{- $list = append $list (merge (dict "name" $service "account" $service "version" "stable" "tag" "" "settings" $settings "isScaled" $settings.autoscaling.enabled) $base) -}}
  {{- with $row.canary -}}
    {{- $own := include "praxiscope.merged" (dict "base" $settings "over" (dict "replicas" .replicas)) | fromYaml -}}
    {{- $list = append $list (merge (dict "name" (printf "%s-canary" $service) "account" $service "version" "canary" "tag" .tag "settings" $own "isScaled" false) $base) -}}
  {{- end -}}
  {{- with $row.work -}}
    {{- $own := include "praxiscope.merged" (dict "base" $.Values.defaults.work "over" (omit . "metricsPort")) | fromYaml -}}
    {{- $list = append $list (dict "name" (printf "%s-work" $service) "account" (printf "%s-work" $service) "service" $service "row" $row "component" "worker" "command" "work" "metricsPort" .metricsPort "version" "stable" "tag" "" "settings" $own "isScaled" $own.autoscaling.enabled) -}}
  {{- end -}}
{{- end -}}
{{- toYaml (dict "workloads" $list) -}}
{{- end }}

{{- /* The label that a workload's pods are found by: a canary's are the service's too, and told apart by `version`. */}}
{{- define "praxiscope.application" -}}
{{ ternary (printf "%s-work" .service) .service (eq .component "worker") }}
{{- end }}

{{- /* What a service is told. Takes root and workload. */}}
{{- define "praxiscope.environment" -}}
{{- $root := .root -}}{{- $w := .workload -}}{{- $row := $w.row -}}
{{- $prefix := include "praxiscope.prefix" $w.service -}}
- {name: PYTHONUNBUFFERED, value: "1"}
{{- /* One thread a library: cores are given out by Kubernetes. */}}
- {name: OMP_NUM_THREADS, value: "1"}
- {name: OPENBLAS_NUM_THREADS, value: "1"}
- {name: SVT_LOG, value: "1"}
- {name: {{ $prefix }}ADDRESS, value: "0.0.0.0:{{ int $row.port }}"}
- {name: {{ $prefix }}GRACE_S, value: {{ $root.Values.defaults.graceS | quote }}}
{{- /* Go says WARN where Python says WARNING. */}}
- {name: {{ $prefix }}LOG_LEVEL, value: {{ $root.Values.defaults.logLevel | trimSuffix (ternary "ING" "" (eq $w.component "gateway")) }}}
- {name: {{ $prefix }}OTLP_ENDPOINT, value: {{ include "praxiscope.otlpEndpoint" $root | quote }}}
{{- if eq $w.component "gateway" }}
- {name: {{ $prefix }}METRICS_ADDRESS, value: "0.0.0.0:{{ int $w.metricsPort }}"}
- {name: {{ $prefix }}GRPC_ADDRESS, value: "0.0.0.0:{{ int $row.grpcPort }}"}
{{- else }}
- {name: {{ $prefix }}DRAIN_S, value: {{ $root.Values.defaults.drainS | quote }}}
- {name: {{ $prefix }}METRICS_HOST, value: 0.0.0.0}
- {name: {{ $prefix }}METRICS_PORT, value: {{ int $w.metricsPort | quote }}}
- {name: {{ $prefix }}PRIVATE_KEY_FILE, value: /run/secrets/praxiscope/{{ $w.service }}/private.pem}
- {name: {{ $prefix }}AUTH_ADDRESS, value: "auth:{{ int $root.Values.services.auth.port }}"}
{{- end }}
{{- range $row.calls }}
- {name: {{ $prefix }}{{ . | upper | replace "-" "_" }}_ADDRESS, value: "{{ . }}:{{ int (index $root.Values.services .).port }}"}
{{- end }}
{{- if $row.triton }}
- {name: {{ $prefix }}TRITON_ADDRESS, value: "triton:{{ int $root.Values.triton.grpcPort }}"}
- {name: {{ $prefix }}TRITON_INSTANCES_ADDRESS, value: "triton-instances:{{ int $root.Values.triton.grpcPort }}"}
{{- end }}
{{- if $row.database }}
{{ include "praxiscope.databaseEnvironment" (dict "root" $root "prefix" $prefix "secret" $w.service) }}
{{- end }}
{{- if and $row.store (ne $w.component "gateway") }}
{{ include "praxiscope.storeEnvironment" (dict "root" $root "prefix" $prefix) }}
{{- end }}
{{- if eq $w.component "worker" }}
{{- with $w.settings.autoscaling.jobs }}
- {name: {{ $prefix }}CONCURRENCY, value: {{ int . | quote }}}
{{- end }}
{{- end }}
{{- range $name, $file := $row.files }}
- {name: {{ $prefix }}{{ $name }}, value: /run/secrets/praxiscope/{{ $file.secret }}{{ with $file.key }}/{{ . }}{{ end }}}
{{- end }}
{{- range $name, $value := $row.environment }}
- {name: {{ $prefix }}{{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{- define "praxiscope.databaseEnvironment" -}}
- {name: {{ .prefix }}DB_HOST, value: {{ include "praxiscope.databaseHost" .root | quote }}}
- {name: {{ .prefix }}DB_PORT, value: {{ include "praxiscope.databasePort" .root | quote }}}
- {name: {{ .prefix }}DB_NAME, value: {{ .root.Values.database.name | quote }}}
- {name: {{ .prefix }}DB_PASSWORD_FILE, value: /run/secrets/praxiscope/{{ .secret }}/database-password}
- {name: PGSSLMODE, value: {{ include "praxiscope.databaseTlsMode" .root | quote }}}
{{- if .root.Values.database.tlsCaSecret }}
- {name: PGSSLROOTCERT, value: /run/secrets/praxiscope/database-ca/ca.crt}
{{- else if hasPrefix "verify" (include "praxiscope.databaseTlsMode" .root) }}
- {name: PGSSLROOTCERT, value: system}
{{- end }}
{{- end }}

{{- define "praxiscope.storeEnvironment" -}}
- {name: {{ .prefix }}STORE_KIND, value: s3}
- {name: {{ .prefix }}STORE_ENDPOINT_URL, value: {{ include "praxiscope.storeEndpoint" .root | quote }}}
- {name: {{ .prefix }}STORE_REGION, value: {{ .root.Values.store.region | quote }}}
- {name: {{ .prefix }}STORE_BUCKET, value: {{ .root.Values.store.bucket | quote }}}
- {name: {{ .prefix }}STORE_ACCESS_KEY_ID, value: {{ ternary "praxiscope" .root.Values.store.accessKeyId .root.Values.objectStore.enabled | quote }}}
- {name: {{ .prefix }}STORE_SECRET_ACCESS_KEY_FILE, value: /run/secrets/praxiscope/store/secret-access-key}
{{- end }}

{{- /* The Secrets that a workload mounts, by name. Takes root and workload. */}}
{{- define "praxiscope.secretsOf" -}}
{{- $names := list -}}
{{- if ne .workload.component "gateway" }}{{- $names = append $names .workload.service -}}{{- end -}}
{{- if and .workload.row.store (ne .workload.component "gateway") }}{{- $names = append $names "store" -}}{{- end -}}
{{- range .workload.row.files }}{{- $names = append $names .secret -}}{{- end -}}
{{- toYaml (dict "names" (uniq $names)) -}}
{{- end }}
