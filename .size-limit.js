// What a page downloads: minified, gzipped, with every dependency; size-limit would leave the peer yjs out.
const withPeers = (config) => ({ ...config, external: [] });
const door = (path, limit) => ({ name: path, path, limit, gzip: true, modifyEsbuildConfig: withPeers });

export default [door("dist/index.js", "146 kB"), door("dist/refstore/index.js", "30 kB")];
