-- wrk script: args = how many connections to spread the calls over, request file with @ in the place of the number.
-- All requests are made beforehand, and as many for one connection as for many: what is compared is not this script, nor
-- what it costs to send from more memory than a processor keeps at hand.
local REQUESTS = 10000
local requests, at = {}, 0
function init(args)
  local f = io.open(args[2]); local body = f:read("*a"); f:close()
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "text/xml; charset=utf-8"
  wrk.headers["SOAPAction"] = '"http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSGetActors"'
  local connections = tonumber(args[1])
  for i = 1, REQUESTS do
    -- A step that has no factor in common with any round number: neighbours in time are none in the table.
    local number = string.format("%012d", ((i - 1) % connections + 1) * 7919 % 1000000)
    requests[i] = wrk.format(nil, nil, nil, (body:gsub("@", number)))
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
