-- wrk rounds what it prints; this line is exact: requests, microseconds, p99 in
-- microseconds, and how many requests failed.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("berth %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(99.0), e.connect + e.read + e.write + e.status + e.timeout))
end
