{{- /*
Every Secret there is, with its keys and how each is made: {name: {key: kind}}; kinds are those of praxiscope_common.kubernetes.secrets:
  password, rsa, ed25519, public:{secret}/{key}
*/}}
{{- define "praxiscope.secretsWanted" -}}
{{- $wanted := dict -}}
{{- $publicKeys := dict -}}
{{- range $service, $row := .Values.services -}}
  {{- if ne ($row.protocol | default "grpc") "http" -}}
    {{- $keys := dict "private.pem" "rsa" -}}
    {{- if $row.database }}{{- $_ := set $keys "database-password" "password" -}}{{- end -}}
    {{- $_ := set $wanted $service $keys -}}
    {{- if ne $service "auth" }}{{- $_ := set $publicKeys (printf "%s.pem" ($service | replace "-" "_")) (printf "public:%s/private.pem" $service) -}}{{- end -}}
  {{- end -}}
{{- end -}}
{{- if .Values.operator.enabled -}}
  {{- $_ := set $wanted "operator" (dict "private.pem" "rsa") -}}
  {{- $_ := set $publicKeys "operator.pem" "public:operator/private.pem" -}}
{{- end -}}
{{- $_ := set $wanted "service-keys" $publicKeys -}}
{{- $_ := set $wanted "access-tokens" (dict "private.pem" "rsa") -}}
{{- $_ := set $wanted "tickets" (dict "private.pem" "ed25519") -}}
{{- $_ := set $wanted "ticket-key" (dict "public.pem" "public:tickets/private.pem") -}}
{{- $_ := set $wanted "jobs" (dict "database-password" "password") -}}
{{- if .Values.objectStore.enabled }}{{- $_ := set $wanted "store" (dict "secret-access-key" "password") -}}{{- end -}}
{{- if .Values.postgres.enabled }}{{- $_ := set $wanted "postgres" (dict "password" "password") -}}{{- end -}}
{{- toYaml $wanted -}}
{{- end }}

{{- /* Those that come from outside: all of them, and the ones that nobody here could make. */}}
{{- define "praxiscope.secretsGiven" -}}
{{- $given := include "praxiscope.secretsWanted" . | fromYaml -}}
{{- if not .Values.objectStore.enabled }}{{- $_ := set $given "store" (dict "secret-access-key" "given") -}}{{- end -}}
{{- if .Values.backup.enabled }}{{- $_ := set $given "backup" (dict "secret-access-key" "given") -}}{{- end -}}
{{- if and .Values.database.createRoles (not .Values.postgres.enabled) }}{{- $_ := set $given "postgres" (dict "password" "given") -}}{{- end -}}
{{- toYaml $given -}}
{{- end }}
