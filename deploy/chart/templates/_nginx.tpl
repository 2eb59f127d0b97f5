{{/*
All files of nginx by name. Those of deploy/nginx are used unchanged; the chart writes
those that are the operator's, and nginx.conf.
*/}}
{{- define "berth.nginxFiles" -}}
berth.conf: |
  {{- .Files.Get "files/nginx/berth.conf" | nindent 2 }}
{{- range $path, $_ := .Files.Glob "files/nginx/berth/*" }}
{{- $file := base $path }}
{{- if not (has $file (list "upstreams.conf" "portal-host.conf" "proxy-host.conf" "registry-host.conf")) }}
{{ $file }}: |
  {{- $.Files.Get $path | nindent 2 }}
{{- end }}
{{- end }}
{{- $json := eq .Values.logFormat "json" }}
nginx.conf: |
  {{- include "berth.nginxMain" . | nindent 2 }}
upstreams.conf: |
  {{- include "berth.nginxUpstreams" . | nindent 2 }}
portal-host.conf: |
  {{- include "berth.nginxListen" (list . .Values.hosts.portal true) | nindent 2 }}
  access_log /dev/stdout {{ ternary "berth_portal_json" "berth_portal" $json }};
proxy-host.conf: |
  {{- include "berth.nginxListen" (list . .Values.hosts.proxy false) | nindent 2 }}
  root /var/cache/berth/disk;
  access_log /var/log/berth/pulls.log berth_pulls if=$berth_counted;
  {{- if $json }}
  access_log /dev/stdout berth_requests;
  {{- end }}
registry-host.conf: |
  {{- include "berth.nginxListen" (list . (.Values.hosts.registry | default "registry.invalid") false) | nindent 2 }}
  {{- if $json }}
  access_log /dev/stdout berth_requests;
  {{- end }}
{{- end }}

{{- define "berth.nginxMain" -}}
# Modules of Debian's nginx. OpenResty has them built in.
include /etc/nginx/modules-enabled/*.conf;
worker_processes {{ .Values.edge.nginx.workerProcesses }};
worker_shutdown_timeout {{ .Values.edge.drainSeconds }}s;
daemon off;
pid /tmp/nginx.pid;
error_log stderr warn;
events {
    worker_connections {{ .Values.edge.nginx.workerConnections }};
}
http {
    access_log off;
    {{- range list "client_body" "proxy" "fastcgi" "uwsgi" "scgi" }}
    {{ . }}_temp_path /tmp/{{ . }};
    {{- end }}
    {{- if .Values.trustedProxies }}
    real_ip_header X-Forwarded-For;
    real_ip_recursive on;
    {{- range .Values.trustedProxies }}
    set_real_ip_from {{ . }};
    {{- end }}
    {{- end }}
    include berth.conf;
    # The log of pulls is renamed when it is large: nobody else can do so in this Pod.
    init_worker_by_lua_block {
        require("berth.rotation").start("/var/log/berth/pulls.log", {{ int64 .Values.edge.pullLog.rotateBytes }}, {{ .Values.edge.pullLog.keep }})
    }
    # Probes come to the Pod's address. This Pod is ready when its edge is.
    server {
        listen {{ .Values.ports.probe }};
        location = /livez {
            return 200;
        }
        location = /readyz {
            proxy_pass http://berth_edge;
        }
        location / {
            return 404;
        }
    }
}
{{- end }}

{{- define "berth.nginxUpstreams" -}}
upstream berth_portal {
    server {{ include "berth.fullname" . }}-portal:{{ .Values.ports.portal }};
    keepalive 8;
    keepalive_timeout 4s;
}
upstream berth_edge {
    server 127.0.0.1:{{ .Values.ports.edge }};
    keepalive 64;
    keepalive_timeout 4s;
}
{{- $registry := "127.0.0.1:9" }}
{{- if .Values.registry.enabled }}
{{- $registry = printf "%s-registry:%d" (include "berth.fullname" .) (int .Values.ports.registry) }}
{{- else if .Values.registry.url }}
{{- $registry = (urlParse .Values.registry.url).host }}
{{- end }}
upstream berth_registry {
    server {{ $registry }};
    keepalive 32;
}
map "" $berth_client {
    default $remote_addr;
}
# Where TLS ends, here or before, clients use this.
map "" $berth_scheme {
    default {{ .Values.scheme }};
}
lua_package_path "/etc/berth/nginx/?.lua;;";
{{- end }}

{{/* Call with (list $ host default?). */}}
{{- define "berth.nginxListen" -}}
{{- $root := index . 0 -}}
{{- if $root.Values.tls.secretName -}}
listen {{ $root.Values.ports.https }} ssl{{ if index . 2 }} default_server{{ end }};
ssl_certificate /etc/berth/tls/tls.crt;
ssl_certificate_key /etc/berth/tls/tls.key;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache shared:berth:5m;
{{- else -}}
listen {{ $root.Values.ports.http }}{{ if index . 2 }} default_server{{ end }};
{{- end }}
server_name {{ include "berth.hostname" (index . 1) }};
{{- end }}

{{- define "berth.edgeEnv" -}}
BERTH_TRUSTED_PROXIES: 127.0.0.1/32
UVICORN_HOST: 0.0.0.0
BERTH_CACHE_DIR: /var/cache/berth/disk
BERTH_CACHE_BYTES: {{ int64 .Values.edge.cache.bytes | toString | quote }}
BERTH_PULL_LOG: /var/log/berth/pulls.log
{{- end }}

{{- define "berth.edgeMounts" -}}
- {name: cache, mountPath: /var/cache/berth}
- {name: log, mountPath: /var/log/berth}
{{- end }}
