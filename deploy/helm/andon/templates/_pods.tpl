{{/* What all pods of the line have in common. */}}

{{- define "andon.selector" -}}
app.kubernetes.io/name: andon
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- with .pool }}
andon/pool: {{ . }}
{{- end }}
{{- if hasKey . "site" }}
andon/site: {{ .site | quote }}
{{- end }}
{{- end }}

{{- define "andon.labels" -}}
{{ include "andon.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: andon
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "andon.metadata" -}}
{{- $name := printf "%s-%s" (include "andon.name" .root) .name -}}
{{- if gt (len $name) 52 }}{{ fail (printf "%s: a name of more than 52 characters; shorten that of the release, of the pool or of the site" $name) }}{{ end -}}
name: {{ $name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "andon.labels" . | nindent 2 }}
{{- end }}

{{- define "andon.image" -}}
{{ .image.repository }}{{ if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "andon.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where and as whom a pod runs. */}}
{{- define "andon.pod" -}}
serviceAccountName: {{ include "andon.name" .root }}
automountServiceAccountToken: false
enableServiceLinks: false # a Service's variables may look like ANDON_* settings
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
{{- with index $.pods $key }}
{{ $key }}: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "andon.spread" -}}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "andon.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{/* The settings that are one process' own; each goes before line.yaml and before the image's own. */}}
{{- define "andon.env" -}}
- {name: ANDON_HTTP__HOST, value: {{ dig "http" "host" "0.0.0.0" .settings | quote }}}
- {name: ANDON_HTTP__PORT, value: {{ .settings.http.port | int | quote }}}
{{- with include "andon.kafkaUser" . }}
- {name: ANDON_KAFKA__SASL_USERNAME, value: {{ . | quote }}}
{{- end }}
{{- if .member }}
- {name: ANDON_KAFKA__MEMBER, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
{{- end }}
{{- with .site }}
- {name: ANDON_INGEST__SITE, value: {{ . }}}
{{- end }}
{{- with .pods.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "andon.mounts" -}}
- {name: line, mountPath: /line, readOnly: true}
- {name: secrets, mountPath: /secrets, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "andon.volumes" -}}
- {name: line, configMap: {name: {{ include "andon.name" .root }}-line}}
- {name: tmp, emptyDir: {sizeLimit: 1Gi}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $file, $key := include "andon.secrets" . | fromYaml }}
      - secret: {name: {{ $key.name }}, items: [{key: {{ $key.key }}, path: {{ $file }}}]}
      {{- else }}
      []
      {{- end }}
{{- end }}

{{/* One of the three roles: its container. */}}
{{- define "andon.role" -}}
image: {{ include "andon.image" . }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
securityContext:
  {{- include "andon.securityContext" . | nindent 2 }}
ports:
  - {name: http, containerPort: {{ .settings.http.port | int }}}
{{- /* green when the process works: a first export and a load of the model fit into it */}}
startupProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: {{ div (add (int (ceil .startS)) 4) 5 }}
livenessProbe:
  httpGet: {path: /livez, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}

{{/* run.drain_s, the time that a cancelled process may take, and room for the node. */}}
{{- define "andon.graceS" -}}
{{ add (int (ceil .settings.run.drain_s)) (int (ceil (.root.Files.Get "files/andon.yaml" | fromYaml).force_s)) 7 }}
{{- end }}

{{- define "andon.claim" -}}
accessModes: [{{ .accessMode | default "ReadWriteOnce" }}]
{{- with .storageClassName }}
storageClassName: {{ . }}
{{- end }}
resources: {requests: {storage: {{ .size }}}}
{{- end }}
