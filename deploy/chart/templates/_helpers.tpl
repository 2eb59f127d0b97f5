{{- define "berth.fullname" -}}
{{- if contains "berth" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-berth" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end -}}
{{- end }}

{{/* Call with (list $ "component"). */}}
{{- define "berth.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: berth
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "berth.labels" -}}
{{- $root := index . 0 -}}
{{ include "berth.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end }}

{{- define "berth.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "berth.hostname" }}{{ . | splitList ":" | first }}{{ end }}

{{- define "berth.hasRegistry" }}{{ if or .Values.registry.enabled .Values.registry.url }}yes{{ end }}{{ end }}

{{/* Refuse what would fail later, or in silence. */}}
{{- define "berth.check" -}}
{{- with .Values -}}
{{- if and (not .secrets.existingSecret) (not .secrets.generate) }}
{{- fail "Set secrets.existingSecret to a Secret with the files of `manage.py init_secrets`, or secrets.generate=true to try Berth." }}
{{- end }}
{{- if and .secrets.existingSecret .secrets.generate }}
{{- fail "Set secrets.existingSecret or secrets.generate, not both." }}
{{- end }}
{{- if ne .postgresql.enabled .valkey.enabled }}
{{- fail "Set postgresql.enabled and valkey.enabled both, or none: their addresses are in the same Secret." }}
{{- end }}
{{- if and .postgresql.enabled (not .secrets.generate) }}
{{- fail "postgresql.enabled and valkey.enabled are for trying and need secrets.generate=true. Otherwise put database-url and redis-url of your servers into the Secret." }}
{{- end }}
{{- if and .secrets.generate (not .postgresql.enabled) (not .secrets.connectionsSecret) }}
{{- fail "Set secrets.connectionsSecret to a Secret with database-url and redis-url, or postgresql.enabled=true and valkey.enabled=true to try Berth." }}
{{- end }}
{{- if and (include "berth.hasRegistry" $) (not .hosts.registry) }}
{{- fail "Set hosts.registry: the host name of the private registry." }}
{{- end }}
{{- if and .registry.enabled .registry.url }}
{{- fail "Set registry.enabled or registry.url, not both." }}
{{- end }}
{{- if and .registry.enabled (eq .registry.storage "s3") (not (and .registry.s3.bucket .registry.s3.region)) }}
{{- fail "Set registry.s3.bucket and registry.s3.region, or registry.storage=filesystem to try Berth." }}
{{- end }}
{{- if and .registry.enabled (eq .registry.storage "filesystem") (gt (int .registry.replicas) 1) }}
{{- fail "registry.replicas above 1 needs registry.storage=s3: Pods do not share files." }}
{{- end }}
{{- $found := lookup "v1" "Secret" $.Release.Namespace (include "berth.secretName" $) }}
{{- range list "secret-key" "encryption-keys" "hmac-keys" "signing.pem" "root.crt" }}
{{- if and $found (not (hasKey (dig "data" dict $found) .)) }}
{{- fail (printf "The Secret %s has no key %s. `manage.py init_secrets` makes it." $found.metadata.name .) }}
{{- end }}
{{- end }}
{{- $secrets := include "berth.secretFiles" $ | fromYaml }}
{{- range $name, $_ := merge (dict) .env .edge.env .portal.env .worker.env }}
{{- if hasKey $secrets $name }}
{{- fail (printf "%s is a secret: put it into the Secret as %s, and not into env." $name (get $secrets $name)) }}
{{- end }}
{{- end }}
{{- if and .gateway.enabled (not .gateway.parentRefs) }}
{{- fail "Set gateway.parentRefs: the Gateways that the HTTPRoute belongs to." }}
{{- end }}
{{- end }}
{{- end }}

{{- define "berth.secretName" }}{{ .Values.secrets.existingSecret | default (include "berth.fullname" .) }}{{ end }}

{{- define "berth.connectionsSecret" -}}
{{ .Values.secrets.connectionsSecret | default (include "berth.secretName" .) }}
{{- end }}

{{/*
Changes when a Secret changes, so that an upgrade restarts the Pods, which read it once.
Empty where Helm does not see the cluster, as in `helm template`.
*/}}
{{- define "berth.secretsChecksum" -}}
{{- $first := lookup "v1" "Secret" .Release.Namespace (include "berth.secretName" .) -}}
{{- $second := lookup "v1" "Secret" .Release.Namespace (include "berth.connectionsSecret" .) -}}
{{ list (dig "data" dict $first) (dig "data" dict $second) | toJson | sha256sum }}
{{- end }}

{{- define "berth.podAnnotations" -}}
checksum/secrets: {{ include "berth.secretsChecksum" . }}
{{- with .Values.podAnnotations }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Call with (list $ "component" podSpec-of-the-component). */}}
{{- define "berth.podSpec" -}}
{{- $root := index . 0 -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "berth.selector" $ | nindent 8 }}
  {{- end }}
{{- with merge (dict) (index . 2) $root.Values.podSpec }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "berth.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end }}

{{/* Berth's image with a command. Call with (list $ "command" ["arguments"]). */}}
{{- define "berth.program" -}}
{{- $root := index . 0 -}}
image: {{ include "berth.image" $root }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
args: {{ index . 1 | toJson }}
{{ include "berth.containerSecurity" $root }}
{{- with $root.Values.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Settings of all of Berth's processes. Call with (list $ settings-of-the-process). */}}
{{- define "berth.env" -}}
{{- $root := index . 0 -}}
{{- $values := $root.Values -}}
{{- $portal := printf "%s://%s" $values.scheme $values.hosts.portal -}}
{{- $names := list (include "berth.hostname" $values.hosts.portal) (include "berth.hostname" $values.hosts.proxy) -}}
{{- if $values.hosts.registry }}{{ $names = append $names (include "berth.hostname" $values.hosts.registry) }}{{ end -}}
{{- $names = append $names (printf "%s-portal" (include "berth.fullname" $root)) -}}
{{- $env := dict
  "ALLOWED_HOSTS" ($names | uniq | join ",")
  "CSRF_TRUSTED_ORIGINS" $portal
  "BERTH_PORTAL_URL" $portal
  "BERTH_PROXY_HOST" $values.hosts.proxy
  "BERTH_REGISTRY_HOST" $values.hosts.registry
  "BERTH_TRUSTED_PROXIES" (join "," $values.podNetworks)
  "BERTH_LOG_FORMAT" $values.logFormat
-}}
{{- if eq $values.scheme "http" }}{{ $_ := set $env "SECURE_COOKIES" "false" }}{{ end -}}
{{- if $values.registry.enabled }}
{{- $_ := set $env "BERTH_REGISTRY_URL" (printf "http://%s-registry:%d" (include "berth.fullname" $root) (int $values.ports.registry)) }}
{{- else if $values.registry.url }}
{{- $_ := set $env "BERTH_REGISTRY_URL" $values.registry.url }}
{{- end -}}
{{- range $name, $file := include "berth.secretFiles" $root | fromYaml }}
{{- $_ := set $env (printf "%s_FILE" $name) (printf "/etc/berth/secrets/%s" $file) }}
{{- end -}}
{{- $env = mergeOverwrite $env (index . 1) $values.env -}}
{{- range $index, $name := keys $env | sortAlpha }}
{{- if $index }}
{{ end -}}
- name: {{ $name }}
  value: {{ get $env $name | toString | quote }}
{{- end }}
{{- end }}

{{- define "berth.secretFiles" -}}
SECRET_KEY: secret-key
DATABASE_URL: database-url
REDIS_URL: redis-url
BERTH_ENCRYPTION_KEYS: encryption-keys
BERTH_HMAC_KEYS: hmac-keys
BERTH_TOKEN_SIGNING_KEY: signing.pem
BERTH_TOKEN_ROOTS: root.crt
BERTH_LICENSE_ROOT_KEY: license-root.key
BERTH_REGISTRY_NOTIFICATION_TOKEN: registry-notification-token
BERTH_REGISTRY_UPLOAD_SECRET: registry-upload-secret
BERTH_METRICS_TOKEN: metrics-token
BERTH_IDENTITY_KEYS: identity-keys.pem
BERTH_OIDC_CLIENT_SECRET: oidc-client-secret
EMAIL_URL: email-url
{{- end }}

{{/*
The volume of a process's secrets: what it needs, and what it uses if it is there.
Call with (list $ needed optional).
*/}}
{{- define "berth.secretsVolume" -}}
{{- $root := index . 0 -}}
name: secrets
projected:
  defaultMode: 0440
  sources:
    - secret:
        name: {{ include "berth.connectionsSecret" $root }}
        items:
          - {key: database-url, path: database-url}
          - {key: redis-url, path: redis-url}
    - secret:
        name: {{ include "berth.secretName" $root }}
        items:
          {{- range concat (list "secret-key" "encryption-keys" "hmac-keys") (index . 1) }}
          - {key: {{ . }}, path: {{ . }}}
          {{- end }}
    {{- with index . 2 }}
    - secret:
        name: {{ include "berth.secretName" $root }}
        optional: true
        items:
          {{- range . }}
          - {key: {{ . }}, path: {{ . }}}
          {{- end }}
    {{- end }}
{{- end }}

{{- define "berth.secretsMount" -}}
- {name: secrets, mountPath: /etc/berth/secrets, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "berth.tmpVolume" -}}
name: tmp
emptyDir:
  sizeLimit: 1Gi
{{- end }}

{{/* Ends once the database has the schema of this version. */}}
{{- define "berth.awaitSchema" -}}
name: schema
{{ include "berth.program" (list . (list "manage" "wait_for_schema")) }}
env:
  {{- include "berth.env" (list . dict) | nindent 2 }}
volumeMounts:
  {{- include "berth.secretsMount" . | nindent 2 }}
resources:
  requests: {cpu: 50m, memory: 128Mi}
  limits: {memory: 256Mi}
{{- end }}

{{- define "berth.httpProbes" -}}
startupProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 2
  failureThreshold: 60
readinessProbe:
  httpGet: {path: /readyz, port: {{ . }}}
  periodSeconds: 5
  timeoutSeconds: 4
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /livez, port: {{ . }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{/* Each probe starts a process, so they are rare. Call with the role. */}}
{{- define "berth.execProbes" -}}
{{- range $kind, $times := dict "startup" (list 10 30) "liveness" (list 60 5) }}
{{ $kind }}Probe:
  exec:
    command: {{ list "berth" "health" $ | toJson }}
  periodSeconds: {{ first $times }}
  timeoutSeconds: 20
  failureThreshold: {{ last $times }}
{{- end }}
{{- end }}
