{{/* line.yaml, with the addresses of what the chart itself runs; and the settings, with the defaults of Andon. */}}

{{- define "andon.name" -}}
{{ .Release.Name }}
{{- end }}

{{/* What the chart knows and line.yaml must not say. */}}
{{- define "andon.own" -}}
{{- $name := include "andon.name" . -}}
spool: {folder: /spool}
{{- if .Values.strimzi.enabled }}
kafka:
  bootstrap_servers: {{ $name }}-kafka-bootstrap.{{ .Release.Namespace }}.svc:9093
  security_protocol: SASL_SSL
  sasl_mechanism: SCRAM-SHA-512
  sasl_password: ${file:/secrets/kafka_password}
  ssl_cafile: /secrets/kafka_ca.crt
{{- end }}
{{- if .Values.valkey.enabled }}
redis:
  url: redis://:${file:/secrets/redis_password}@{{ $name }}-valkey:6379/0
{{- end }}
{{- if .Values.cloudnativepg.enabled }}
sinks:
  store: postgresql+psycopg://${file:/secrets/db_username}:${file:/secrets/db_password}@{{ $name }}-db-rw:5432/andon?sslmode=verify-full&sslrootcert=/secrets/db_ca.crt
{{- end }}
{{- end }}

{{/* What the chart proposes and line.yaml may say otherwise. */}}
{{- define "andon.proposed" -}}
http: {port: {{ (index (.Files.Get "files/andon.yaml" | fromYaml) "defaults").http.port }}}
{{- if .Values.strimzi.enabled }}
kafka: {replication: {{ min 3 (int .Values.strimzi.brokers) }}}
{{- end }}
sinks:
  evidence: {url: /data/evidence}
{{- if not .Values.cloudnativepg.enabled }}
  store: sqlite:////data/andon.db
{{- end }}
{{- end }}

{{/* The content of line.yaml. */}}
{{- define "andon.line" -}}
{{- $own := include "andon.own" . | fromYaml -}}
{{- range $section, $keys := $own -}}
  {{- range $key, $_ := $keys -}}
    {{- if hasKey (dig $section dict $.Values.line) $key -}}
      {{- fail (printf "line.%s.%s: the chart sets it; leave it out, or switch off what the chart runs (strimzi, valkey, cloudnativepg)" $section $key) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- mergeOverwrite (include "andon.proposed" . | fromYaml) (deepCopy .Values.line) $own | toYaml -}}
{{- end }}

{{/* All settings that the templates need: line.yaml over the defaults of Andon. */}}
{{- define "andon.settings" -}}
{{- $constants := .Files.Get "files/andon.yaml" | fromYaml -}}
{{- $settings := mergeOverwrite $constants.defaults (include "andon.line" . | fromYaml) -}}
{{- if not $settings.pools }}{{ $_ := set $settings "pools" (dict "default" dict) }}{{ end -}}
{{- range $name, $pool := $settings.pools -}}
  {{- $_ := set $settings.pools $name (merge (dict "scaling" (mergeOverwrite (deepCopy $constants.scaling) (dig "scaling" dict (default dict $pool)))) (default dict $pool)) -}}
{{- end -}}
{{- $settings | toYaml -}}
{{- end }}

{{/* As whom a role logs in to Kafka: by Strimzi each as itself. */}}
{{- define "andon.kafkaUser" -}}
{{ if .root.Values.strimzi.enabled }}{{ include "andon.name" .root }}-{{ .component }}{{ else }}{{ .settings.kafka.sasl_username | default "" }}{{ end }}
{{- end }}

{{- define "andon.poolTopic" -}}
{{ .settings.kafka.frames_topic }}{{ if ne .pool "default" }}.{{ .pool }}{{ end }}
{{- end }}

{{/* The keys of Secrets behind /secrets in a pod: those that line.yaml names; in ingest all that you name, since
     cameras that are added at runtime may name them. */}}
{{- define "andon.secrets" -}}
{{- $component := .component -}}
{{- with .root -}}
{{- $name := include "andon.name" . -}}
{{- $line := include "andon.line" . -}}
{{- $secrets := deepCopy .Values.secrets -}}
{{- if .Values.valkey.enabled -}}
  {{- $_ := set $secrets "redis_password" .Values.valkey.password -}}
{{- end -}}
{{- if .Values.strimzi.enabled -}}
  {{- $_ := set $secrets "kafka_password" (dict "name" (printf "%s-%s" $name $component) "key" "password") -}}
  {{- $_ := set $secrets "kafka_ca.crt" (dict "name" (printf "%s-cluster-ca-cert" $name) "key" "ca.crt") -}}
{{- end -}}
{{- if .Values.cloudnativepg.enabled -}}
  {{- $_ := set $secrets "db_username" (dict "name" (printf "%s-db-app" $name) "key" "username") -}}
  {{- $_ := set $secrets "db_password" (dict "name" (printf "%s-db-app" $name) "key" "password") -}}
  {{- $_ := set $secrets "db_ca.crt" (dict "name" (printf "%s-db-ca" $name) "key" "ca.crt") -}}
{{- end -}}
{{- $used := ternary (deepCopy .Values.secrets) dict (eq $component "ingest") -}}
{{- range regexFindAll "/secrets/[A-Za-z0-9._-]+" $line -1 -}}
  {{- $file := trimPrefix "/secrets/" . -}}
  {{- if not (hasKey $secrets $file) }}{{ fail (printf "line names /secrets/%s: secrets.%s must say which key of which Secret that is" $file $file) }}{{ end -}}
  {{- $_ := set $used $file (index $secrets $file) -}}
{{- end -}}
{{- range regexFindAll "\\$\\{file:[^}]*\\}" $line -1 -}}
  {{- if not (hasPrefix "${file:/secrets/" .) }}{{ fail (printf "line names %s: a pod has files below /secrets alone; write ${file:/secrets/NAME}, and secrets.NAME" .) }}{{ end -}}
{{- end -}}
{{- range regexFindAll "\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}" $line -1 -}}
  {{- fail (printf "line names %s: no pod has that variable; write ${file:/secrets/NAME}, and secrets.NAME" .) -}}
{{- end -}}
{{- $used | toYaml -}}
{{- end -}}
{{- end }}
