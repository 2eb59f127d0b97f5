-- Renames the log of pulls when it is large, where nobody else rotates it: in a container.
--
-- `.1` is the latest renamed log, as after logrotate. The cache manager reads them.

local ffi = require "ffi"

local SECONDS = 30
local SIGUSR1 = 10

ffi.cdef [[
int getppid(void);
int kill(int pid, int sig);
]]

local function size(path)
    local file = io.open(path, "r")
    if not file then
        return 0
    end
    local bytes = file:seek("end")
    file:close()
    return bytes
end

local rotation = {}

-- Renames the log, forgets the oldest of more than `keep`, and has nginx open a new one.
-- For a process of nginx whose parent may get signals from it: both without root.
function rotation.rotate(path, keep)
    os.remove(path .. "." .. keep)
    for number = keep - 1, 1, -1 do
        os.rename(path .. "." .. number, path .. "." .. number + 1)
    end
    if os.rename(path, path .. ".1") then
        ffi.C.kill(ffi.C.getppid(), SIGUSR1)
    end
end

-- Watches the log from one process of nginx. For init_worker_by_lua.
function rotation.start(path, bytes, keep, seconds)
    if ngx.worker.id() ~= 0 then
        return
    end
    ngx.timer.every(seconds or SECONDS, function()
        if size(path) >= bytes then
            rotation.rotate(path, keep)
        end
    end)
end

return rotation
