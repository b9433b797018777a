-- The HTML that Pandoc does not write by itself: alt texts, and callouts that fold.

local function raw(html)
  return pandoc.RawBlock("html", html)
end

local function escape(text)
  return (text:gsub("&", "&amp;"):gsub('"', "&quot;"):gsub("<", "&lt;"):gsub(">", "&gt;"))
end

local function warn(message)
  io.stderr:write("WARNING: " .. message .. "\n")
end

-- Images -------------------------------------------------------------------------------------

-- An image's alt text is its fig-alt, else what Pandoc gives: the caption in the source.
local function image(el)
  local alt = el.attributes["fig-alt"]
  if alt then
    el.caption = pandoc.Inlines({ pandoc.Str(alt) })
  end
  for name, _ in pairs(el.attributes) do
    if name:match("^fig%-") then
      el.attributes[name] = nil
    end
  end
  return el
end

local function figure(el)
  local caption = pandoc.utils.stringify(el.caption.long)
  el.content = el.content:walk({
    Image = function(inner)
      if #inner.caption == 0 and caption ~= "" then
        inner.caption = pandoc.Inlines({ pandoc.Str(caption) })
        return inner
      end
    end,
  })
  return el
end

local function named(el)
  if #el.caption == 0 then
    warn("an image has no alt text: give it a caption or fig-alt")
  end
end

-- Callouts -----------------------------------------------------------------------------------

local function callout(div)
  if not div.classes:includes("callout") then
    return nil
  end
  local title, body = div.content[1], div.content[2]
  local collapse = div.attributes["data-collapse"]
  local folds = collapse == "true" or collapse == "false"
  local tag = folds and "details" or "div"
  local id = div.identifier ~= "" and ' id="' .. escape(div.identifier) .. '"' or ""
  local state = folds and (collapse == "false" and " open" or "") or ' role="note"'
  local head = pandoc.Inlines(title.content[1].content)
  local head_tag = folds and "summary" or "p"
  head:insert(1, pandoc.RawInline("html", "<" .. head_tag .. ' class="callout-title">'))
  head:insert(pandoc.RawInline("html", "</" .. head_tag .. ">"))
  local classes = escape(table.concat(div.classes, " "))
  return {
    raw("<" .. tag .. id .. ' class="' .. classes .. '"' .. state .. ">"),
    pandoc.Plain(head),
    body,
    raw("</" .. tag .. ">"),
  }
end

return {
  { Image = image },
  { Figure = figure },
  { Image = named, Div = callout },
}
