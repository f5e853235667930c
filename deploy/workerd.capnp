# The relay on a machine of one's own: `docs/deploy.md`, "On your own machine".
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "relay", worker = .relay),
    # Where the rooms are kept; `--directory-path rooms=DIR` says which folder.
    (name = "rooms", disk = (writable = true)),
    # Where their references are kept: `--directory-path references=DIR`.
    (name = "references", disk = (writable = true)),
    # Where tokens' keys are fetched from, if FLOCKSTATE_JWKS_URL is set.
    (name = "internet", network = (allow = ["public"], tlsOptions = (trustBrowserCas = true))),
  ],
  # Behind a reverse proxy, which speaks TLS; `--socket-addr http=HOST:PORT` says otherwise.
  sockets = [(name = "http", address = "127.0.0.1:8787", http = (), service = "relay")],
);

const relay :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "relay/worker.js")],
  globalOutbound = "internet",
  # As in wrangler.toml.
  compatibilityDate = "2026-04-26",
  bindings = [
    (name = "ROOMS", durableObjectNamespace = "RoomObject"),
    (name = "REFERENCES", service = "references"),
    (name = "METRICS", durableObjectNamespace = "MetricsObject"),
    (name = "FLOCKSTATE_TOKEN_SECRET", fromEnvironment = "FLOCKSTATE_TOKEN_SECRET"),
    (name = "FLOCKSTATE_TOKEN_PUBLIC_KEY", fromEnvironment = "FLOCKSTATE_TOKEN_PUBLIC_KEY"),
    (name = "FLOCKSTATE_JWKS_URL", fromEnvironment = "FLOCKSTATE_JWKS_URL"),
    (name = "FLOCKSTATE_AUDIENCE", fromEnvironment = "FLOCKSTATE_AUDIENCE"),
    (name = "FLOCKSTATE_ISSUER", fromEnvironment = "FLOCKSTATE_ISSUER"),
    (name = "FLOCKSTATE_ORIGINS", fromEnvironment = "FLOCKSTATE_ORIGINS"),
    (name = "FLOCKSTATE_LIMITS", fromEnvironment = "FLOCKSTATE_LIMITS"),
    (name = "FLOCKSTATE_RETENTION_DAYS", fromEnvironment = "FLOCKSTATE_RETENTION_DAYS"),
    (name = "FLOCKSTATE_METRICS_TOKEN", fromEnvironment = "FLOCKSTATE_METRICS_TOKEN"),
    (name = "FLOCKSTATE_LOG_LEVEL", fromEnvironment = "FLOCKSTATE_LOG_LEVEL"),
  ],
  durableObjectNamespaces = [
    (className = "RoomObject", uniqueKey = "flockstate-rooms", enableSql = true),
    (className = "MetricsObject", uniqueKey = "flockstate-metrics", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "rooms"),
);
