-- With two files named after the URL, requests are taken from the first in turn: a
-- path, a tab and the value of the Authorization header, which may be empty. Responses
-- are written to the second: the status, a space and the body.
function init(args)
  if not args[1] then
    return
  end
  local prepared, at = {}, 0
  for line in io.lines(args[1]) do
    local path, authorization = line:match("^([^\t]+)\t(.*)$")
    local headers = {}
    if authorization ~= "" then
      headers["Authorization"] = authorization
    end
    prepared[#prepared + 1] = wrk.format("GET", path, headers)
  end
  local answers = assert(io.open(args[2], "w"))
  function request()
    at = at % #prepared + 1
    return prepared[at]
  end
  function response(status, headers, body)
    answers:write(status, " ", body, "\n")
  end
end

-- wrk rounds what it prints; this line is exact: requests, microseconds, p50 and p99 in
-- microseconds, and the number of failed requests.
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("berth %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50.0), latency:percentile(99.0),
    e.connect + e.read + e.write + e.status + e.timeout))
end
