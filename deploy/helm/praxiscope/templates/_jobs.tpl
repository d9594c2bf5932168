{{- define "praxiscope.hookAnnotations" -}}
helm.sh/hook: {{ .hook }}
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: before-hook-creation
{{- end }}

{{- /* An identity that may read and write the Secrets that are named, and make new ones: RBAC cannot name what is not there yet. */}}
{{- define "praxiscope.keeper" }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  labels: {{- include "praxiscope.labels" . | nindent 4 }}
  {{- if .isHook }}
  annotations: {{- include "praxiscope.hookAnnotations" . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .name }}
  labels: {{- include "praxiscope.labels" . | nindent 4 }}
  {{- if .isHook }}
  annotations: {{- include "praxiscope.hookAnnotations" . | nindent 4 }}
  {{- end }}
rules:
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{- toYaml .secrets | nindent 2 }}
  verbs: {{- toYaml .verbs | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  labels: {{- include "praxiscope.labels" . | nindent 4 }}
  {{- if .isHook }}
  annotations: {{- include "praxiscope.hookAnnotations" . | nindent 4 }}
  {{- end }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .name }}}
subjects:
- {kind: ServiceAccount, name: {{ .name }}, namespace: {{ .root.Release.Namespace }}}
{{- end }}

{{- /*
A Job. Takes root, name, account, image, hook, isHook, weight, command, env, and where it needs them secrets, database, await
{service, chains} and callsKubernetes.
*/}}
{{- define "praxiscope.job" }}
{{- $template := include "praxiscope.jobTemplate" . }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}{{ if not .isHook }}-{{ sha256sum $template | trunc 10 }}{{ end }}
  labels:
    {{- include "praxiscope.labels" . | nindent 4 }}
    app.kubernetes.io/component: job
  {{- if .isHook }}
  annotations: {{- include "praxiscope.hookAnnotations" . | nindent 4 }}
  {{- end }}
spec:
  backoffLimit: 10
  activeDeadlineSeconds: 900
  ttlSecondsAfterFinished: 86400
  template: {{- $template | nindent 4 }}
{{- end }}

{{- define "praxiscope.jobTemplate" -}}
metadata:
  labels:
    {{- include "praxiscope.labels" . | nindent 4 }}
    app.kubernetes.io/component: job
spec:
  restartPolicy: OnFailure
  serviceAccountName: {{ .account }}
  automountServiceAccountToken: {{ .callsKubernetes | default false }}
  enableServiceLinks: false
  {{- include "praxiscope.pullSecrets" .root | nindent 2 }}
  {{- /* Pods wait for it, so it must not wait for their room. What is a hook runs before there are classes the first time. */}}
  {{- $classes := .root.Values.priorityClasses }}
  {{- if and $classes.create (or (not .isHook) (lookup "scheduling.k8s.io/v1" "PriorityClass" "" (printf "%sinteractive" $classes.prefix))) }}
  {{- include "praxiscope.priority" (dict "root" .root "class" "interactive") | nindent 2 }}
  {{- end }}
  securityContext: {{- include "praxiscope.podSecurity" . | nindent 4 }}
  {{- with .await }}
  initContainers: {{- include "praxiscope.awaitSchema" (dict "root" $.root "image" $.image "service" .service "chains" .chains) | nindent 2 }}
  {{- end }}
  containers:
  - name: {{ .name }}
    image: {{ .image }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command: {{- toYaml .command | nindent 4 }}
    env:
    - {name: PYTHONUNBUFFERED, value: "1"}
    {{- toYaml .env | nindent 4 }}
    resources:
      requests: {cpu: 50m, memory: 96Mi}
      limits: {memory: 512Mi}
    securityContext: {{- include "praxiscope.containerSecurity" . | nindent 6 }}
    volumeMounts: {{- include "praxiscope.secretMounts" (dict "root" .root "names" .secrets "database" .database) | nindent 4 }}
  volumes: {{- include "praxiscope.secretVolumes" (dict "root" .root "names" .secrets "database" .database) | nindent 2 }}
{{- end }}
