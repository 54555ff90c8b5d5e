{{/* A name with the addresses of its pods; of a StatefulSet, a name for each of them, too. */}}
{{- define "andon.headless" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "andon.metadata" . | nindent 2 }}
spec:
  clusterIP: None
  selector:
    {{- include "andon.selector" . | nindent 4 }}
  ports:
    - {name: http, port: {{ .settings.http.port | int }}, targetPort: http}
{{- end }}

{{- define "andon.budget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "andon.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1 # a node can always be drained; a line has one process less meanwhile
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "andon.selector" . | nindent 6 }}
{{- end }}
