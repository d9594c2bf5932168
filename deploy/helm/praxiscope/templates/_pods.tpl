{{- /* What makes a pod fit Pod Security's `restricted`. */}}
{{- define "praxiscope.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "praxiscope.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "praxiscope.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
- {name: {{ . }}}
{{- end }}
{{- end }}
{{- end }}

{{- /* Who makes room for whom where there is not enough of it. Takes root and class. */}}
{{- define "praxiscope.priority" -}}
{{- if .root.Values.priorityClasses.create -}}
priorityClassName: {{ .root.Values.priorityClasses.prefix }}{{ .class }}
{{- end -}}
{{- end }}

{{- /* Mounts and volumes of a list of Secrets. Takes root and names. */}}
{{- define "praxiscope.secretMounts" -}}
{{- range .names }}
- {name: secret-{{ . }}, mountPath: /run/secrets/praxiscope/{{ . }}, readOnly: true}
{{- end }}
{{- if and .database .root.Values.database.tlsCaSecret }}
- {name: database-ca, mountPath: /run/secrets/praxiscope/database-ca, readOnly: true}
{{- end }}
- {name: temporary, mountPath: /tmp}
{{- end }}

{{- define "praxiscope.secretVolumes" -}}
{{- range .names }}
- {name: secret-{{ . }}, secret: {secretName: {{ . }}, defaultMode: 0440}}
{{- end }}
{{- if and .database .root.Values.database.tlsCaSecret }}
- {name: database-ca, secret: {secretName: {{ .root.Values.database.tlsCaSecret }}, defaultMode: 0440}}
{{- end }}
- {name: temporary, emptyDir: {sizeLimit: {{ .root.Values.defaults.temporarySize }}}}
{{- end }}

{{- /* Waits until the database takes our role and the chains are as new as our code. Takes root, image, service (the Secret's and role's name), chains. */}}
{{- define "praxiscope.awaitSchema" -}}
- name: await-schema
  image: {{ .image }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  command: [python, -m, praxiscope_common.await_schema]
  env:
  - {name: PRAXISCOPE_AWAIT_DB_ROLE, value: praxiscope_{{ .service | replace "-" "_" }}}
  - {name: PRAXISCOPE_AWAIT_CHAINS, value: {{ join "," .chains | quote }}}
  {{- include "praxiscope.databaseEnvironment" (dict "root" .root "prefix" "PRAXISCOPE_AWAIT_" "secret" .service) | nindent 2 }}
  resources:
    requests: {cpu: 20m, memory: 64Mi}
    limits: {memory: 128Mi}
  securityContext: {{- include "praxiscope.containerSecurity" . | nindent 4 }}
  volumeMounts: {{- include "praxiscope.secretMounts" (dict "root" .root "names" (list .service) "database" true) | nindent 2 }}
{{- end }}

{{- /* gRPC: starting and readiness follow what the service needs, life only whether it still answers. Workers answer scrapes and nothing else. */}}
{{- define "praxiscope.probes" -}}
{{- $w := .workload -}}
{{- if eq $w.component "api" }}
startupProbe:
  grpc: {port: {{ int $w.row.port }}}
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  grpc: {port: {{ int $w.row.port }}}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  grpc: {port: {{ int $w.row.port }}, service: liveness}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- else if eq $w.component "gateway" }}
{{- /* `/readyz` asks every service: one that is away must not take the front door with it, so it stands in `helm test` and not here. */}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- else }}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
{{- end }}
{{- end }}

{{- /* Away from each other's machines and zones as far as that can be. Takes root and name. */}}
{{- define "praxiscope.spread" -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- include "praxiscope.selector" $ | nindent 6 }}
  matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
