declare namespace Cloudflare {
  interface Env {
    ROOMS: DurableObjectNamespace;
    BLOBS: R2Bucket;
  }
}
