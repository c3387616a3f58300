-- packing: arrays made of parts that are packed already, byte for byte as if all of it had been packed at once.
--
-- Packing costs more than most of what a script does, so what goes to several places is packed once and spliced in.

local HEADS = { '\145', '\146', '\147', '\148', '\149', '\150', '\151', '\152', '\153', '\154', '\155', '\156', '\157',
  '\158', '\159' }

-- The head of an array of 1 to 15 values; `cmsgpack.pack(one, two, ...)` is what comes behind it.
function packing.head(size)
  return HEADS[size]
end
