-- drawing: units leave a shelf for a take.
--
-- Needs: stock, atp, takes.

-- Books up to `wanted` units of one part of a shelf. Returns how many.
local function draw_part(job, shelf, available_units, wanted, source, quota)
  local units = math.min(available_units, wanted)
  if units <= 0 then
    return 0
  end
  takes.add_part(job.take, job.mark or source, units, quota)
  stock.move(job.state, shelf.code, job.bucket, units)
  if quota ~= '' then
    stock.move(job.state, shelf.code, 'consumed', units, quota)
  end
  return units
end

local function draw_lenders(job, shelf, wanted, whole)
  local drawn = 0
  for _, lender in ipairs(shelf.lenders) do
    local may = whole and lender.units or atp.lendable(lender)
    local units = draw_part(job, shelf, may, wanted - drawn, 'borrowed', lender.channel)
    lender.units = lender.units - units
    drawn = drawn + units
  end
  return drawn
end

local function draw_shared(job, shelf, wanted)
  local units = draw_part(job, shelf, shelf.shared, wanted, 'shared', '')
  shelf.shared = shelf.shared - units
  return units
end

-- What each pass may take from a shelf, in this order. job: { view, state, take, bucket, mark }.
local DRAW = {
  open = function(job, shelf, wanted)
    local units = draw_part(job, shelf, shelf.own, wanted, 'own', job.view.channel)
    shelf.own = shelf.own - units
    if job.view.overflow ~= 'none' then
      units = units + draw_shared(job, shelf, wanted - units)
    end
    if job.view.overflow == 'borrow' then
      units = units + draw_lenders(job, shelf, wanted - units, false)
    end
    return units
  end,
  reserve = function(job, shelf, wanted)
    return draw_part(job, shelf, shelf.reserve, wanted, 'safety', '')
  end,
  fence = function(job, shelf, wanted)
    local units = job.view.overflow == 'none' and draw_shared(job, shelf, wanted) or 0
    return units + draw_lenders(job, shelf, wanted - units, true)
  end,
}

-- Takes up to `wanted` units from one shelf in one pass (open, reserve or fence). Returns how many.
function drawing.draw(job, shelf, pass, wanted)
  local units = DRAW[pass](job, shelf, math.min(wanted, shelf[pass]))
  shelf[pass] = shelf[pass] - units
  return units
end
