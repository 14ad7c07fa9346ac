export { makeCertificates, type CertificateOptions, type Certificates } from "./certificates.js";
export { hasNginx, hasOpenssl, hasRedis, hasRedisTls, programPath } from "./found-programs.js";
export { freePort } from "./free-port.js";
export { startNginx, type Nginx, type NginxOptions } from "./nginx.js";
export { Program, type End, type ProgramOptions } from "./program.js";
export { startRedisCluster, type FailOver, type RedisCluster, type RedisClusterOptions } from "./redis-cluster.js";
export { RedisData, startRedis, type RedisOptions, type RedisServer, type Restart, type StartData } from "./redis-server.js";
export { until } from "./until.js";
