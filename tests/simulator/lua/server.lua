-- server: answers commands, and runs libraries of functions as the server runs them.
--
-- A library sees what it sees there: `redis`, `cjson`, `cmsgpack` and Lua's own, in globals it may not change. An error
-- in a function leaves what it wrote before; all it wrote is one unit of the journal.
-- The words of errors are Valkey's; Redis adds the function's name to some.

local store, shared, msgpack, json, wire, sha1hex = ...
local commands, add = shared.commands, shared.add
local getinfo = debug.getinfo
local SOURCE = '@user_function'

-- --- what a library sees ------------------------------------------------------------------------------------------

local redis = { LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3 }
-- While a function runs: the flags it was registered with. While a library is loaded: its name.
local running, loading

local function refuse(text)
  return { err = 'ERR ' .. text }
end

local function text_of(value)
  if value == math.floor(value) and math.abs(value) < 1e17 then
    return string.format('%.0f', value)
  end
  return string.format('%.17g', value)
end

local function run_inside(...)
  local args, name = { ... }, ...
  if not name then
    return refuse('Please specify at least one argument for this call')
  end
  for i = 1, select('#', ...) do
    local kind = type(args[i])
    if kind == 'number' then
      args[i] = text_of(args[i])
    elseif kind ~= 'string' then
      return refuse('Command arguments must be strings or integers')
    end
  end
  local command = commands[name] or commands[args[1]:upper()]
  if not command then
    return refuse('Unknown command called from script')
  elseif command.alone then
    return refuse('This Valkey command is not allowed from script')
  elseif (command.arity > 0 and #args ~= command.arity) or #args < -command.arity then
    return refuse('Wrong number of args calling command from script')
  elseif command.write and running['no-writes'] then
    return refuse('Write commands are not allowed from read-only scripts.')
  end
  return command.run(args)
end

function redis.call(...)
  local reply = run_inside(...)
  if type(reply) == 'table' and reply.err then
    error({ err = reply.err })
  end
  return reply
end

function redis.pcall(...)
  local reply = run_inside(...)
  return type(reply) == 'table' and reply.err and { err = reply.err } or reply
end

function redis.error_reply(text)
  return { err = text:sub(1, 1) == '-' and text:sub(2) or 'ERR ' .. text }
end

function redis.status_reply(text)
  return { ok = text }
end

function redis.sha1hex(...)
  if select('#', ...) ~= 1 then
    error('wrong number of arguments', 0)
  end
  return sha1hex(tostring((...)))
end

local globals = { redis = redis, server = redis, cmsgpack = msgpack, cjson = json, string = string, table = table,
  math = math, coroutine = coroutine, assert = assert, error = error, getmetatable = getmetatable, ipairs = ipairs,
  next = next, pairs = pairs, pcall = pcall, rawequal = rawequal, rawget = rawget, rawset = rawset, select = select,
  setmetatable = setmetatable, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack, xpcall = xpcall,
  loadstring = loadstring, _VERSION = _VERSION }
globals._G = globals

setmetatable(globals, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
  __newindex = function()
    error('Attempt to modify a readonly table', 2)
  end,
})

-- --- libraries ----------------------------------------------------------------------------------------------------

-- Compiled texts, kept for as long as the program runs.
local chunks = {}
-- name -> { name, source, order = { function names }, functions = { name -> { callback, flags } } }
local libraries, functions = {}, {}

local function index_functions()
  functions = {}
  for _, library in next, libraries do
    for name, entry in next, library.functions do
      functions[name] = entry
    end
  end
end

local function put_library(name, library)
  libraries[name] = library or nil
  index_functions()
end

local function change_library(name, library)
  store.note(put_library, name, libraries[name] or false, false)
  put_library(name, library)
end

function redis.register_function(first, callback)
  if not loading then
    error({ err = 'ERR redis.register_function can only be called on FUNCTION LOAD command' })
  end
  local named = type(first) == 'table' and first or { function_name = first, callback = callback }
  local flags = {}
  for _, flag in ipairs(named.flags or {}) do
    flags[flag] = true
  end
  loading.order[#loading.order + 1] = named.function_name
  loading.functions[named.function_name] = { callback = named.callback, flags = flags }
end

-- Runs a library's text anew, so that what it kept between calls is gone.
local function define(name, source)
  local chunk = chunks[source]
  if not chunk then
    -- The first line names the library and is not Lua.
    local said
    chunk, said = loadstring(source:match('^[^\n]*(\n.*)$'), SOURCE)
    if not chunk then
      return nil, refuse('Error compiling function: ' .. said)
    end
    chunks[source] = setfenv(chunk, globals)
  end
  loading = { name = name, source = source, order = {}, functions = {} }
  local done, said = pcall(chunk)
  local library = loading
  loading = nil
  if not done then
    return nil, refuse('Error registering functions: ' .. tostring(type(said) == 'table' and said.err or said))
  end
  return library
end

local function taken(library)
  for name in next, library.functions do
    if functions[name] and not (libraries[library.name] and libraries[library.name].functions[name]) then
      return refuse('Function ' .. name .. ' already exists')
    end
  end
end

local function load_library(args)
  local replace, source = #args == 4 and args[3]:upper() == 'REPLACE', args[#args]
  local name = source:match('^#!lua name=([%w_]+)[^\n]*\n')
  if not name or (#args == 4 and not replace) then
    return shared.unknown('this form of FUNCTION LOAD')
  end
  if libraries[name] and not replace then
    return refuse("Library '" .. name .. "' already exists")
  end
  local library, bad = define(name, source)
  bad = bad or taken(library)
  if bad then return bad end
  change_library(name, library)
  return name
end

local function delete_library(args)
  if not libraries[args[3]] then
    return refuse('Library not found')
  end
  change_library(args[3], nil)
  return { ok = 'OK' }
end

local function list_libraries(args)
  local pattern, found = '*', {}
  if #args == 4 and args[3]:upper() == 'LIBRARYNAME' then
    pattern = args[4]
  elseif #args > 2 then
    return shared.unknown('this form of FUNCTION LIST')
  end
  pattern = '^' .. pattern:gsub('%*', '.*') .. '$'
  for name, library in next, libraries do
    if name:find(pattern) then
      local rows = {}
      for i, function_name in ipairs(library.order) do
        local flags = {}
        for flag in next, library.functions[function_name].flags do flags[#flags + 1] = flag end
        table.sort(flags)
        rows[i] = { 'name', function_name, 'description', false, 'flags', flags }
      end
      found[#found + 1] = { 'library_name', name, 'engine', 'LUA', 'functions', rows }
    end
  end
  table.sort(found, function(a, b) return a[2] < b[2] end)
  return found
end

local function flush_libraries()
  for name in next, libraries do
    change_library(name, nil)
  end
  return { ok = 'OK' }
end

local SUBCOMMANDS = { LOAD = load_library, DELETE = delete_library, LIST = list_libraries, FLUSH = flush_libraries }

add('FUNCTION', -2, function(args)
  local run = SUBCOMMANDS[args[2]:upper()]
  return (run or shared.unknown('FUNCTION ' .. args[2]))(args)
end, { alone = true, write = true, shape = 'libraries' })

-- --- running functions --------------------------------------------------------------------------------------------

-- Where in the library an error came up, in the server's words.
local function explain(problem)
  local level, place = 2, nil
  repeat
    place = getinfo(level, 'Sl')
    level = level + 1
  until not place or place.source == SOURCE
  local said = type(problem) == 'table' and (problem.err or 'ERR unknown error') or 'ERR ' .. tostring(problem)
  return { err = said .. (place and ' script: on ' .. SOURCE .. ':' .. place.currentline .. '.' or '') }
end

local callback, KEYS, ARGV

local function run_callback()
  return callback(KEYS, ARGV)
end

-- all: keys first, `count` of them, then arguments.
local function run_function(name, count, all, from)
  local entry = functions[name]
  if not entry then
    return { err = 'ERR Function not found' }
  end
  local keys, arguments = {}, {}
  for i = 1, count do
    keys[i] = all[from + i]
  end
  from = from + count
  for i = 1, #all - from do
    arguments[i] = all[from + i]
  end
  callback, KEYS, ARGV, running = entry.callback, keys, arguments, entry.flags
  local _, reply = xpcall(run_callback, explain)
  running = nil
  return reply
end

add('FCALL', -3, function(args)
  local count = args[3]:find('^%-?%d+$') and tonumber(args[3])
  if not functions[args[2]] then
    return refuse('Function not found')
  elseif not count then
    return refuse('Bad number of keys provided')
  elseif count > #args - 3 then
    return refuse("Number of keys can't be greater than number of args")
  elseif count < 0 then
    return refuse("Number of keys can't be negative")
  end
  return run_function(args[2], count, args, 3)
end, { alone = true })

-- --- answering ----------------------------------------------------------------------------------------------------

local function unknown_command(args)
  local quoted = {}
  for i = 2, #args do
    quoted[i - 1] = "'" .. args[i]:sub(1, 128) .. "' "
  end
  return refuse("unknown command '" .. args[1]:sub(1, 128) .. "', with args beginning with: " .. table.concat(quoted))
end

local server = { store = store }
-- Worlds are short: memory is cheaper than looking for what can be freed.
collectgarbage('setpause', 400)
local together = false

local function answer(args)
  local command = commands[args[1]:upper()]
  if not command then
    return wire.encode(unknown_command(args))
  elseif (command.arity > 0 and #args ~= command.arity) or #args < -command.arity then
    return wire.encode(shared.wrong_count(args[1]))
  end
  local reply = command.run(args)
  if not together then
    store.seal()
  end
  return wire.encode(reply, command.shape)
end

-- One command as byte strings; its reply as it travels.
function server.answer(...)
  return answer({ ... })
end

-- The same from a list, for commands that are too long to be arguments.
function server.answer_list(args)
  return answer(args)
end

-- Between these two, all commands are one unit of the journal.
function server.begin()
  together = true
end

function server.commit()
  together = false
  store.seal()
end

-- The power fails: of the units that are not on the disk the first `kept` survive, and the process starts anew.
function server.crash(kept)
  store.forget(kept)
  server.restart()
end

-- The process starts anew with all its data: what libraries kept in memory is gone.
function server.restart()
  for name, library in next, libraries do
    libraries[name] = define(name, library.source)
  end
  index_functions()
end

-- An empty server.
function server.reset(seed)
  store.keys, libraries, functions, store.random = {}, {}, {}, seed
  store.fsync()
end

function server.snapshot()
  local sources = {}
  for name, library in next, libraries do
    sources[name] = library.source
  end
  return { keys = store.snapshot(), sources = sources }
end

function server.restore(snapshot)
  store.restore(snapshot.keys)
  libraries = {}
  for name, source in next, snapshot.sources do
    libraries[name] = define(name, source)
  end
  index_functions()
end

return server
