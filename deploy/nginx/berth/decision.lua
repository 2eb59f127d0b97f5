-- Whether nginx itself may answer a request with a file of the disk cache.
--
-- The edge decides. Its answer is remembered for 0.8 seconds, counted from before it was
-- asked, for the same Authorization, repository and address of the client: a pull
-- credential may be for some networks only. GET and HEAD are the same right: to pull.
-- Whatever is in doubt goes to the edge.

local ffi = require "ffi"
-- Not the time of day, which may be set back.
local monotonic_time = require("resty.core.time").monotonic_time

local REMEMBERED_SECONDS = 0.8
-- After this, one request asks again, so that not all have to when the time is over.
local ASKED_AGAIN_SECONDS = 0.75
-- What nginx reads and sends at once, with the headers.
local SMALL_BYTES = 32 * 1024
local ENDINGS = {
    blobs = { "" },
    manifests = { ".oci-manifest", ".docker-manifest", ".oci-index", ".docker-list" },
}

ffi.cdef [[
int statx(int directory, const char *path, int flags, unsigned int mask, int64_t *result);
unsigned char *SHA256(const char *data, size_t size, unsigned char *digest);
]]
-- Of OpenSSL, which nginx is linked with: twice as fast as nginx's own SHA-1.
local digest = ffi.new("unsigned char[32]")
local function sha256(text)
    return ffi.string(ffi.C.SHA256(text, #text, digest), 32)
end

local AT_FDCWD, STATX_MTIME_AND_SIZE = -100, 0x240
-- Linux has the same struct statx on all machines: 256 bytes, stx_size at 40 and
-- stx_mtime.tv_sec at 112.
local SIZE, MTIME = 40 / 8, 112 / 8
local stat = ffi.new("int64_t[32]")

-- Files have the first second of 1970 from when the edge checked their digest. Whoever
-- writes to one changes it.
local function is_intact(path)
    return ffi.C.statx(AT_FDCWD, path, 0, STATX_MTIME_AND_SIZE, stat) == 0
        and stat[MTIME] == 1
end

local function serve(var, place, pull)
    var.berth_place, var.berth_pull = place, pull
    local file = "/objects/" .. place .. "/" .. var.berth_kind .. "/" .. var.berth_reference
    for _, ending in ipairs(ENDINGS[var.berth_kind]) do
        if is_intact(var.document_root .. file .. ending) then
            ngx.req.set_uri(file .. ending)
            -- Set here, for nginx to compare conditions and ranges with.
            ngx.header["ETag"] = '"' .. var.berth_reference .. '"'
            return stat[SIZE] > SMALL_BYTES and ngx.exec("@large")
        end
    end
    return ngx.exec("@edge")
end

-- Whether the edge, which reads the address as the client spelled it, sees the name that
-- nginx matched.
local function is_spelled_plainly(var)
    local sent = var.request_uri
    local query = sent:find("?", 1, true)
    return (query and sent:sub(1, query - 1) or sent) == var.uri
end

local function is_worth_asking(key, age)
    return age >= REMEMBERED_SECONDS or age >= ASKED_AGAIN_SECONDS
        and ngx.shared.berth_decisions:add("asked" .. key, true, 0.1)
end

local decision = {}

-- Serves the file if the edge's decision is remembered; goes on to @ask otherwise.
function decision.recall()
    local var = ngx.var
    local authorization, method = var.http_authorization, var.request_method
    if not authorization or (method ~= "GET" and method ~= "HEAD")
            or not is_spelled_plainly(var) then
        return ngx.exec("@edge")
    end
    -- No token is kept, only its hash.
    local key = sha256(authorization) .. var.berth_client .. " " .. var.berth_name
    local now = monotonic_time()
    local remembered = ngx.shared.berth_decisions:get(key)
    if remembered then
        local asked, place, pull = remembered:match("^(%S+) (%S+) (.+)$")
        if not is_worth_asking(key, now - asked) then
            return serve(var, place, pull)
        end
    end
    var.berth_key, var.berth_asked = key, now
    return ngx.exec("@ask")
end

-- Remembers the decision that auth_request got, and serves the file.
function decision.remember()
    local var = ngx.var
    local place, pull = var.berth_place, var.berth_pull
    if pull == "" or not place:find("^[-%x]+/%x+$") then
        return ngx.exec("@edge")
    end
    local remembered = var.berth_asked .. " " .. place .. " " .. pull
    ngx.shared.berth_decisions:set(var.berth_key, remembered, REMEMBERED_SECONDS)
    return serve(var, place, pull)
end

-- Nobody is allowed any longer by the decision before.
function decision.forget()
    ngx.shared.berth_decisions:delete(ngx.var.berth_key)
    return ngx.exec("@edge")
end

return decision
