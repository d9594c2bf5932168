{{- /* How the backup store is reached. */}}
{{- define "praxiscope.backupEnvironment" -}}
- {name: PYTHONUNBUFFERED, value: "1"}
- {name: PRAXISCOPE_BACKUP_STORE_KIND, value: s3}
- {name: PRAXISCOPE_BACKUP_STORE_ENDPOINT_URL, value: {{ .Values.backup.store.endpointUrl | quote }}}
- {name: PRAXISCOPE_BACKUP_STORE_REGION, value: {{ .Values.backup.store.region | quote }}}
- {name: PRAXISCOPE_BACKUP_STORE_BUCKET, value: {{ .Values.backup.store.bucket | quote }}}
- {name: PRAXISCOPE_BACKUP_STORE_ACCESS_KEY_ID, value: {{ .Values.backup.store.accessKeyId | quote }}}
- {name: PRAXISCOPE_BACKUP_STORE_SECRET_ACCESS_KEY_FILE, value: /run/secrets/praxiscope/backup/secret-access-key}
{{- end }}

{{- /* The CronJobs there are, by what each needs: {name: {schedule, commands, database, store}}. */}}
{{- define "praxiscope.backupJobs" -}}
{{- $backup := .Values.backup -}}
{{- $jobs := dict -}}
{{- if $backup.enabled -}}
  {{- $_ := set $jobs "backup-objects" (dict "schedule" $backup.objects.schedule "commands" (list "mirror") "store" true) -}}
  {{- $nightly := list "versions" "prune" -}}
  {{- if .Values.postgres.enabled -}}
    {{- $nightly = append $nightly "check" -}}
    {{- $_ := set $jobs "backup-database" (dict "schedule" $backup.database.schedule "commands" (list "base") "database" true) -}}
  {{- end -}}
  {{- $_ := set $jobs "backup-prune" (dict "schedule" "45 4 * * *" "commands" $nightly "store" true) -}}
{{- end -}}
{{- toYaml $jobs -}}
{{- end }}

{{- /* Where the mesh lets nothing out that it has no entry for. */}}
{{- define "praxiscope.backupEntry" -}}
{{- $isPlain := hasPrefix "http://" .Values.backup.store.endpointUrl -}}
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: backup
  labels: {{- include "praxiscope.labels" (dict "root" $ "name" "backup") | nindent 4 }}
spec:
  hosts: [{{ .Values.backup.store.host | quote }}]
  location: MESH_EXTERNAL
  resolution: {{ ternary "NONE" "DNS" (hasPrefix "*" .Values.backup.store.host) }}
  exportTo: ["."]
  ports:
  - {number: {{ int .Values.backup.store.port }}, name: {{ ternary "http-s3" "tls-s3" $isPlain }}, protocol: {{ ternary "HTTP" "TLS" $isPlain }}}
{{- end }}

{{- define "praxiscope.egressToBackup" -}}
- to: {{- include "praxiscope.cidrPeers" .Values.backup.store.cidrs | nindent 2 }}
  ports: [{protocol: TCP, port: {{ int .Values.backup.store.port }}}]
{{- end }}
