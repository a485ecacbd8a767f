-- wrk's part: one request after another, no seed twice, and one line of JSON at the end.
-- Arguments: method, path, body ("" for none), first seed, seeds a request.

local started = 0

function setup(thread)
  thread:set("number", started)
  started = started + 1
end

local function around(text)
  local from, to = text:find("{seed}", 1, true)
  if not from then
    return text, nil
  end
  return text:sub(1, from - 1), text:sub(to + 1)
end

function init(args)
  method, step = args[1], tonumber(args[5])
  path, after_path = around(args[2])
  body, after_body = around(args[3])
  seed = tonumber(args[4]) + number * 2 ^ 28
  headers = {}
  if body ~= "" then
    headers["Content-Type"] = "application/json"
  end
end

function request()
  local here = string.format("%.0f", seed)
  seed = seed + step
  local target = after_path and path .. here .. after_path or path
  local sent = after_body and body .. here .. after_body or nil
  return wrk.format(method, target, headers, sent)
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"duration_us": %d, "requests": %d, "bytes": %d, "p50_us": %d, "p99_us": %d, ' ..
    '"max_us": %d, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
    summary.duration, summary.requests, summary.bytes,
    latency:percentile(50), latency:percentile(99), latency.max,
    e.connect, e.read, e.write, e.status, e.timeout
  ))
end
