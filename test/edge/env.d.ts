declare namespace Cloudflare {
  interface Env {
    ROOMS: DurableObjectNamespace;
    METRICS: DurableObjectNamespace;
    BLOBS: R2Bucket;
    FLOCKSTATE_DEVELOPMENT: string;
  }
}
