{{/* The name of the objects: one DNS label, with room for a suffix. */}}
{{- define "ippool-webhook.name" -}}
{{- $release := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) -}}
{{- .Values.fullnameOverride | default $release | replace "." "-" | trunc 52 | trimAll "-" -}}
{{- end }}

{{/* The metadata of an object of the webhook, and with a suffix of one that issues certificates. */}}
{{- define "ippool-webhook.metadata" -}}
name: {{ include "ippool-webhook.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "ippool-webhook.label" . | nindent 2 }}
{{- end }}

{{- define "ippool-webhook.label" -}}
app.kubernetes.io/name: {{ include "ippool-webhook.name" . }}
{{- end }}

{{- define "ippool-webhook.certs.metadata" -}}
name: {{ include "ippool-webhook.name" . }}-certs
namespace: {{ .Release.Namespace }}
labels:
  {{- include "ippool-webhook.certs.label" . | nindent 2 }}
{{- end }}

{{- define "ippool-webhook.certs.label" -}}
app.kubernetes.io/name: {{ include "ippool-webhook.name" . }}-certs
{{- end }}

{{/* Labels by which Prometheus selects an object. */}}
{{- define "ippool-webhook.monitoring.labels" -}}
{{- with .Values.monitoring.labels }}{{ toYaml . }}{{ end }}
{{- end }}

{{- define "ippool-webhook.image" -}}
{{- $tag := .Values.image.tag | default (empty .Values.image.digest | ternary .Chart.AppVersion "") -}}
{{- .Values.image.repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* The policy file. */}}
{{- define "ippool-webhook.policy" -}}
{{- empty .Values.policy.limits | ternary (omit .Values.policy "limits") .Values.policy | toYaml }}
{{- end }}

{{/* Its ConfigMap: another policy is another name, which causes a rollout. */}}
{{- define "ippool-webhook.policy.name" -}}
{{- include "ippool-webhook.name" . }}-policy-{{ include "ippool-webhook.policy" . | sha256sum | trunc 10 }}
{{- end }}

{{/* Whether the platform chooses the users of pods. */}}
{{- define "ippool-webhook.openshift" -}}
{{- if .Capabilities.APIVersions.Has "security.openshift.io/v1" }}true{{ end }}
{{- end }}

{{/* Annotations by which the CA is written into every caBundle. */}}
{{- define "ippool-webhook.injection" -}}
{{- if eq .Values.certificates.source "cert-manager" }}
annotations:
  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "ippool-webhook.name" . }}
{{- else if eq .Values.certificates.source "openshift" }}
annotations:
  service.beta.openshift.io/inject-cabundle: "true"
{{- end }}
{{- end }}

{{/* What every pod has, whatever it runs. */}}
{{- define "ippool-webhook.pod" -}}
enableServiceLinks: false
{{- range $key := list "imagePullSecrets" "nodeSelector" "tolerations" }}
{{- with index $.Values $key }}
{{ $key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* The users of a pod, with what else belongs into its securityContext. */}}
{{- define "ippool-webhook.users" -}}
runAsNonRoot: true
{{- if not (include "ippool-webhook.openshift" .) }}
runAsUser: 65532
runAsGroup: 65532
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* What every container has. */}}
{{- define "ippool-webhook.container" -}}
image: {{ include "ippool-webhook.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* The condition, in CEL, that the user is a trusted writer. */}}
{{- define "ippool-webhook.trusted" -}}
{{- $conditions := list }}
{{- range .Values.policy.trustedWriters }}
{{- $expression := include "ippool-webhook.expression" . }}
{{- $wide := printf "policy.trustedWriters: %q would trust %%s; name a service account, or its namespace" . }}
{{- if not (. | replace "*" "" | replace ":" "") }}{{ fail (printf $wide "everyone") }}{{ end }}
{{- /* No pattern has a tilde, so only a star matches it. */}}
{{- if regexMatch $expression "system:serviceaccount:~:~" }}{{ fail (printf $wide "every service account") }}{{ end }}
{{- if regexMatch $expression "system:anonymous" }}{{ fail (printf $wide "requests without a user") }}{{ end }}
{{- $condition := contains "*" . | ternary (printf ".matches('%s')" $expression) (printf " == '%s'" .) }}
{{- $conditions = append $conditions (print "request.userInfo.username" $condition) }}
{{- end }}
{{- join " || " $conditions }}
{{- end }}

{{/* A pattern of user names as a regular expression: a star matches no colon, and where it is a whole part, it is not empty. */}}
{{- define "ippool-webhook.expression" -}}
{{- $parts := list }}
{{- range splitList ":" . }}
{{- $stars := and (not (empty .)) (empty (trimAll "*" .)) }}
{{- $parts = append $parts ($stars | ternary "[^:]+" (. | replace "." "[.]" | replace "+" "[+]" | replace "*" "[^:]*")) }}
{{- end }}
{{- printf "^%s$" (join ":" $parts) }}
{{- end }}

{{/* What every webhook has: name, path and operations differ. */}}
{{- define "ippool-webhook.webhook" -}}
- name: {{ .name }}.ippools.whereabouts.cni.cncf.io
  admissionReviewVersions: [v1]
  clientConfig:
    service:
      name: {{ include "ippool-webhook.name" .root }}
      namespace: {{ .root.Release.Namespace }}
      path: {{ .path }}
      port: 443
  rules:
    - apiGroups: [whereabouts.cni.cncf.io]
      apiVersions: [v1alpha1]
      resources: [ippools]
      operations: {{ toJson .operations }}
      scope: Namespaced
  matchPolicy: Equivalent
  namespaceSelector: {}
  objectSelector: {}
  sideEffects: None
{{- end }}

{{/* The condition that a write is not one of metadata only. */}}
{{- define "ippool-webhook.not-metadata-only" -}}
- name: not-metadata-only
  expression: >-
    request.operation == 'CREATE' || object.metadata.generation != oldObject.metadata.generation
{{- end }}
