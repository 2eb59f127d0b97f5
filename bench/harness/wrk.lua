-- Requests are taken in turn from the first file named after the URL. A line is a path and
-- headers as "Name: value", separated by tabs. With a second file, responses are written
-- to it: the status, a space and the body.
function init(args)
  local prepared, at = {}, 0
  for line in io.lines(args[1]) do
    local headers, path = {}, nil
    for field in line:gmatch("[^\t]+") do
      if path then
        local name, value = field:match("^([^:]+): (.*)$")
        headers[name] = value
      else
        path = field
      end
    end
    prepared[#prepared + 1] = wrk.format("GET", path, headers)
  end
  function request()
    at = at % #prepared + 1
    return prepared[at]
  end
  if not args[2] then
    return
  end
  local answers = assert(io.open(args[2], "w"))
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
